//! The keystream of encryption type 40: the pad generator alone, without the mixing functions of other types.

/// Bytes of the pad.
const PAD: usize = 63;
/// Behind this place the pad is stirred now and then.
const STIRS_AT: usize = 7;

/// One direction's keystream; encrypting and decrypting are the same operation.
#[derive(Clone, Debug)]
pub struct Cipher {
    pad: [u8; PAD],
    at: u8,
}

impl Cipher {
    /// Prepares the pad from a seed: the server's for what it sends, the exclusive or of both for what the node sends.
    pub fn new(seed: u32) -> Cipher {
        let (mut state, mut words) = (seed, [0u8; 80]);
        for word in words.chunks_exact_mut(4) {
            state = next(state);
            word.copy_from_slice(&state.to_le_bytes());
        }
        let mut pad = [0; PAD];
        pad.copy_from_slice(&words[..PAD]);
        if pad.iter().all(|byte| byte & 1 == 0) {
            pad[0] |= 0x71;
        }
        let start = ((next(state) >> 16) * PAD as u32) >> 16;
        let mut cipher = Cipher { pad, at: start as u8 };
        cipher.stir(start);
        cipher
    }

    /// Applies the keystream to the next bytes of the stream.
    pub fn apply(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let at = usize::from(self.at);
            // To the pad's end, or to the place behind which it may be stirred.
            let end = if at <= STIRS_AT { STIRS_AT + 1 } else { PAD };
            let (now, later) = bytes.split_at_mut((end - at).min(bytes.len()));
            let mut last = self.pad[if at == 0 { PAD - 1 } else { at - 1 }];
            for (byte, own) in now.iter_mut().zip(&mut self.pad[at..end]) {
                last = last.wrapping_add(*own);
                *own = last;
                *byte ^= last;
            }
            let reached = at + now.len();
            if reached == STIRS_AT + 1 && last & 0x70 == 0 {
                self.stir(u32::from(last) + u32::from(self.pad[2]));
            }
            self.at = if reached == PAD { 0 } else { reached as u8 };
            bytes = later;
        }
    }

    fn stir(&mut self, by: u32) {
        let from = ((by * by + 2) % 59) as usize;
        self.pad[from..from + 5].sort_unstable_by_key(|byte| byte ^ 0x20);
        for place in (5..PAD).step_by(3) {
            self.pad[place] = (255 - self.pad[place]).wrapping_add(place as u8) | 1;
        }
    }
}

fn next(state: u32) -> u32 {
    state.wrapping_mul(0x1_0dcd).wrapping_add(0x4271)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use md5::{Digest, Md5};

    #[test]
    fn the_pad_of_the_note_comes_out() {
        let cipher = Cipher::new(0x1234_5678);
        assert_eq!(cipher.at, 45);
        assert_eq!(
            HEXLOWER.encode(&cipher.pad),
            "8998c59226a7832929c712c304a3ffa6a511d16881270bbb5c8d97aa50473c93\
             9ff0e94fbe66195197fbb1fccf3cd7a71d4469f1aaeff10ca57a765728e191"
        );
    }

    #[test]
    fn keystreams_are_those_of_the_note() {
        let known = [
            (
                0x1234_5678,
                45,
                "0be289a6ea5344eeddceda7ff96fc6eecf60e98146d8fea528517a4153161abdbc620718e951d2f904bf1ba83fe93980bc4feedec716d43a53a43b36e7e3b2bd",
            ),
            (
                0xe8ff_4440,
                36,
                "6965acb9b82720981f128a6f34e4372456b9cb460354371e0ece6586afdd8e5dc01dd3940b700f5bbc339eebf49dc8c192a6296c72279bb322cf1d94aaa043ac",
            ),
            (
                0xdead_beef,
                54,
                "dc2ebf8995aa09000fe32df0d2071a1de90ef59f2691fd86587805fcb5b89b97aebcb0afb71e934b0bfebc61e8955cf5c1bbf44d159e8ac603fb02c3c2cbc4a0",
            ),
            (
                0x0000_0000,
                15,
                "83901326659e7c5a63662fa6f1c986e692491000d55ba16ea665049c8a5194784fd4214e576d08facecbb7e6ffaf1bbe2f7171715f30367c7d6bf36672abf477",
            ),
        ];
        for (seed, start, stream) in known {
            let mut cipher = Cipher::new(seed);
            assert_eq!(cipher.at, start);
            let mut bytes = [0; 64];
            cipher.apply(&mut bytes);
            assert_eq!(HEXLOWER.encode(&bytes), stream, "{seed:08x}");
        }
    }

    #[test]
    fn long_runs_with_their_rare_stirs_are_those_of_the_note() {
        let known = [
            (0x1234_5678, "206058353b041b20cdc988815c8f794e"),
            (0xe8ff_4440, "69f220c1ca5eed47b73816163d064340"),
            (0xdead_beef, "30bfc4282a2d8e9703bd6fd08d5fdfc4"),
        ];
        for (seed, digest) in known {
            let mut bytes = [0; 4_096];
            Cipher::new(seed).apply(&mut bytes);
            assert_eq!(HEXLOWER.encode(&Md5::digest(bytes)), digest, "{seed:08x}");
        }
    }
}
