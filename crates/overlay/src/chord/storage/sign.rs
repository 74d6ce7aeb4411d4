//! Records of our own: what this node's key signs (4.1).

use ed25519_dalek::{Signer as _, SigningKey};
use throng_wire::chord::{Record, Signed, Subject};

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'a> {
    /// What it is about.
    pub subject: Subject<'a>,
    /// Its version.
    pub seq: u64,
    /// Seconds to live.
    pub ttl: u32,
    /// Its value; none for a tombstone.
    pub value: Option<&'a [u8]>,
}

/// A key and what it signs.
#[derive(Clone)]
pub(crate) struct Signer(SigningKey);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// The key of a seed.
    pub(crate) fn new(seed: &[u8; 32]) -> Signer {
        Signer(SigningKey::from_bytes(seed))
    }

    /// The public key.
    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The signed record, encoded; none if a part is too long for its kind.
    pub(crate) fn sign(&self, draft: &Draft<'_>) -> Option<Box<[u8]>> {
        let Draft { subject, seq, ttl, value } = *draft;
        let (writer, mut signature) = (self.public(), [0; 64]);
        let unsigned = Signed { subject, writer: &writer, seq, ttl, value, signature: &signature };
        let over = unsigned.signed_bytes();
        signature = self.0.sign(&over).to_bytes();
        let signed = Signed { subject, writer: &writer, seq, ttl, value, signature: &signature };
        let mut bytes = Vec::new();
        Record::Signed(signed).encode(&mut bytes).ok()?;
        Some(bytes.into())
    }
}
