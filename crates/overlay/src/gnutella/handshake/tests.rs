//! How headers are read.

use super::*;
use throng_wire::gnutella::Headers;

#[test]
fn headers_say_what_a_servent_is_and_can_do() {
    let mut headers = Headers::default();
    headers.push("x-ultrapeer", "True").push("X-Degree", "46").push("X-Max-TTL", "3");
    headers
        .push("Node", "100.64.0.1:6346")
        .push("X-Ext-Probes", "0.1")
        .push("Accept-Encoding", "gzip, deflate");
    headers.push("GUID", "16313102933aec6a7a5718ee43a8416f").push("User-Agent", "x".repeat(500));
    let greeting = Greeting::read(&headers);
    assert_eq!((greeting.role, greeting.degree, greeting.max_ttl), (Role::Ultrapeer, 46, 3));
    assert!(
        greeting.probes && greeting.inflates && !greeting.deflates && !greeting.dynamic && !greeting.vendor
    );
    assert!(greeting.guid.is_some() && greeting.listen.is_some() && greeting.agent.len() == 64);
    let none = Greeting::read(&Headers::default());
    assert_eq!((none.role, none.degree, none.max_ttl), (Role::Plain, 8, 7));
}
