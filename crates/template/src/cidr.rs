//! `Fn::Cidr`: the first subnets of a block of addresses.

use std::net::Ipv4Addr;

/// Returns the subnets for block, count and bits (of the host part), or `None` if there are not so many.
/// Only IPv4.
pub(crate) fn blocks(arguments: &[String]) -> Option<Vec<String>> {
    let (address, length) = arguments.first()?.split_once('/')?;
    let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
    let length: u32 = length.parse().ok().filter(|length| *length <= 32)?;
    let count: u64 = arguments.get(1)?.parse().ok().filter(|count| (1..=256).contains(count))?;
    let bits: u32 = arguments.get(2).map_or(Some(8), |bits| bits.parse().ok())?;
    let room = 32_u32.checked_sub(length)?.checked_sub(bits)?;
    if count > 1_u64 << room {
        return None;
    }
    let network = u64::from(address) >> (32 - length) << (32 - length);
    let subnet = |index: u64| {
        let address = u32::try_from(network + (index << bits)).ok()?;
        Some(format!("{}/{}", Ipv4Addr::from(address), 32 - bits))
    };
    (0..count).map(subnet).collect()
}
