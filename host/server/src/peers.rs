//! Bounds the connections of one peer, so that no single machine takes all of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who connects: an address of IPv4, or a network of IPv6, whose addresses one machine has by the million.
type Peer = IpAddr;

/// The connections that are open, by peer.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    most: usize,
    open: Arc<Mutex<HashMap<Peer, usize>>>,
}

/// One connection of a peer, until it is dropped.
#[derive(Debug)]
pub(crate) struct PeerConnection {
    peer: Peer,
    open: Arc<Mutex<HashMap<Peer, usize>>>,
}

impl Peers {
    /// So many connections of each peer.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            open: Arc::default(),
        }
    }

    /// Counts one more connection of an address; none if it has as many as it may.
    pub(crate) fn connect(&self, address: IpAddr) -> Option<PeerConnection> {
        let peer = peer(address);
        let mut open = locked(&self.open);
        let count = open.entry(peer).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(PeerConnection {
            peer,
            open: self.open.clone(),
        })
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        let mut open = locked(&self.open);
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

fn locked(open: &Mutex<HashMap<Peer, usize>>) -> MutexGuard<'_, HashMap<Peer, usize>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

fn peer(address: IpAddr) -> Peer {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_its_own_bound() {
        let peers = Peers::new(2);
        let connect = |address: &str| peers.connect(address.parse().expect("an address"));
        let (one, two) = (connect("10.0.0.1"), connect("::ffff:10.0.0.1"));
        assert!(one.is_some() && two.is_some() && connect("10.0.0.1").is_none());
        assert!(connect("10.0.0.2").is_some());
        drop(one);
        let again = connect("10.0.0.1");
        assert!(again.is_some() && connect("10.0.0.1").is_none());
        // A network of IPv6 is one peer.
        let (one, two) = (connect("2001:db8::1"), connect("2001:db8::ffff:2"));
        assert!(one.is_some() && two.is_some() && connect("2001:db8::3").is_none());
        assert!(connect("2001:db8:0:1::1").is_some());
        drop((one, two, again));
        drop(peers.connect("2001:db8::3".parse().expect("an address")));
        assert_eq!(locked(&peers.open).len(), 1);
    }
}
