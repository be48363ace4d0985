//! Whose connection it is: the Runtime API has no keys, but where each process has a user of its own, the kernel knows
//! which user opened a connection.

use std::fs;
use std::net::SocketAddr;

/// The kernel's lists of connections; a socket of the sixth version may speak the fourth.
const LISTS: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// Tells whether a connection on this machine, from `peer` to `here`, was opened by a user.
pub(crate) fn is_of(user: u32, peer: SocketAddr, here: SocketAddr) -> bool {
    LISTS.into_iter().any(|list| fs::read_to_string(list).is_ok_and(|list| lists(&list, user, peer, here)))
}

fn lists(list: &str, user: u32, peer: SocketAddr, here: SocketAddr) -> bool {
    let (Some(peer), Some(here)) = (written(peer), written(here)) else { return false };
    list.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let ends = [fields.next(), fields.next()];
        // The list has both ends; what is looked for is the peer's.
        let is_peers =
            ends[0].is_some_and(|end| end.ends_with(&peer)) && ends[1].is_some_and(|end| end.ends_with(&here));
        is_peers && fields.nth(4).and_then(|owner| owner.parse().ok()) == Some(user)
    })
}

/// Writes an address as the kernel does, without what stands before it in the sixth version.
fn written(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connection_is_of_the_user_who_opened_it() {
        let me = rustix::process::geteuid().as_raw();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        let here = accepted.local_addr().unwrap();
        assert!(is_of(me, peer, here));
        assert!(!is_of(me + 1, peer, here));
        assert!(!is_of(me, here, here));
        drop(stream);
    }

    #[test]
    fn lines_of_both_lists_are_read() {
        let (peer, here) = ("127.0.0.1:4660".parse().unwrap(), "127.0.0.1:80".parse().unwrap());
        let loopback = format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1]));
        let line = |before: &str, user: &str| {
            format!(
                "  sl local\n   0: {before}{loopback}:1234 {before}{loopback}:0050 01 0:0 00:0 0 {user} 0 1 1 0 20\n"
            )
        };
        assert!(lists(&line("", "7"), 7, peer, here));
        assert!(lists(&line("0000000000000000FFFF0000", "7"), 7, peer, here));
        assert!(!lists(&line("", "8"), 7, peer, here));
        assert!(!lists(&line("", "7"), 7, here, peer));
        assert!(!lists("", 7, peer, here));
    }
}
