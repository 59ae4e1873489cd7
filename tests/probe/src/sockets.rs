//! Sockets, through WASI 0.2's own words: what a hostile component could say.

use serde_json::{Value, json};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp_create_socket::create_udp_socket;

fn refused(step: &str, code: ErrorCode) -> Value {
    json!({ "refused": format!("{step}: {}", code.name()) })
}

fn family(address: &IpAddress) -> IpAddressFamily {
    match address {
        IpAddress::Ipv4(_) => IpAddressFamily::Ipv4,
        IpAddress::Ipv6(_) => IpAddressFamily::Ipv6,
    }
}

fn at(address: IpAddress, port: u16) -> IpSocketAddress {
    match address {
        IpAddress::Ipv4(address) => IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }),
        IpAddress::Ipv6(address) => {
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    }
}

/// An address as it is, or the first that a name has.
fn resolve(host: &str) -> Result<IpAddress, Value> {
    if let Ok(std::net::IpAddr::V4(ip)) = host.parse() {
        let [a, b, c, d] = ip.octets();
        return Ok(IpAddress::Ipv4((a, b, c, d)));
    }
    if let Ok(std::net::IpAddr::V6(ip)) = host.parse() {
        let [a, b, c, d, e, f, g, h] = ip.segments();
        return Ok(IpAddress::Ipv6((a, b, c, d, e, f, g, h)));
    }
    let answers = resolve_addresses(&instance_network(), host).map_err(|code| refused("lookup", code))?;
    loop {
        match answers.resolve_next_address() {
            Ok(Some(address)) => return Ok(address),
            Ok(None) => return Err(json!({ "refused": "no address" })),
            Err(ErrorCode::WouldBlock) => answers.subscribe().block(),
            Err(code) => return Err(refused("lookup", code)),
        }
    }
}

/// Connects, says hello, and returns what comes back.
pub fn connect(host: &str, port: u16) -> Value {
    let run = || {
        let address = resolve(host)?;
        let socket = create_tcp_socket(family(&address)).map_err(|code| refused("socket", code))?;
        socket
            .start_connect(&instance_network(), at(address, port))
            .map_err(|code| refused("connect", code))?;
        let (input, output) = loop {
            match socket.finish_connect() {
                Ok(streams) => break streams,
                Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
                Err(code) => return Err(refused("connect", code)),
            }
        };
        output.blocking_write_and_flush(b"hello").map_err(|_| json!({ "refused": "write" }))?;
        let said = input.blocking_read(100).map_err(|_| json!({ "refused": "read" }))?;
        Ok(json!(String::from_utf8_lossy(&said)))
    };
    run().unwrap_or_else(|error| error)
}

/// Tries to be a server.
pub fn listen() -> Value {
    let run = || {
        let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(|code| refused("socket", code))?;
        let address = at(IpAddress::Ipv4((0, 0, 0, 0)), 0);
        socket.start_bind(&instance_network(), address).map_err(|code| refused("bind", code))?;
        while let Err(code) = socket.finish_bind() {
            match code {
                ErrorCode::WouldBlock => socket.subscribe().block(),
                code => return Err(refused("bind", code)),
            }
        }
        socket.start_listen().map_err(|code| refused("listen", code))?;
        while let Err(code) = socket.finish_listen() {
            match code {
                ErrorCode::WouldBlock => socket.subscribe().block(),
                code => return Err(refused("listen", code)),
            }
        }
        Ok(json!("listening"))
    };
    run().unwrap_or_else(|error| error)
}

/// Sends a datagram.
pub fn send(host: &str, port: u16) -> Value {
    let run = || {
        let address = resolve(host)?;
        let socket = create_udp_socket(family(&address)).map_err(|code| refused("socket", code))?;
        let any = at(IpAddress::Ipv4((0, 0, 0, 0)), 0);
        socket.start_bind(&instance_network(), any).map_err(|code| refused("bind", code))?;
        while let Err(code) = socket.finish_bind() {
            match code {
                ErrorCode::WouldBlock => socket.subscribe().block(),
                code => return Err(refused("bind", code)),
            }
        }
        let (_, outgoing) = socket.stream(None).map_err(|code| refused("stream", code))?;
        while outgoing.check_send().map_err(|code| refused("send", code))? == 0 {
            outgoing.subscribe().block();
        }
        let datagram = wasip2::sockets::udp::OutgoingDatagram {
            data: b"hello".to_vec(),
            remote_address: Some(at(address, port)),
        };
        let sent = outgoing.send(&[datagram]).map_err(|code| refused("send", code))?;
        Ok(json!(sent))
    };
    run().unwrap_or_else(|error| error)
}
