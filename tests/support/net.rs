//! A network of a test's own: an empty one with addresses that are nobody's loopback, so that who
//! is behind a NAT, next door, or far away is so for the switch as well.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::Command;

/// Set for a test that is run once more, as somebody who may have networks.
const AGAIN: &str = "PUKAR_TEST_NETWORK";

/// From now on this thread, and what it starts, is in a network where every address of the /24s of
/// these is its own. False: who runs this may have none, and the test has been run, in a process of
/// its own, as root of a user namespace.
#[must_use]
pub fn of_my_own(members: &[Ipv4Addr]) -> bool {
    // SAFETY: takes no pointer; only the calling thread is in another network then.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        let why = io::Error::last_os_error();
        assert!(std::env::var_os(AGAIN).is_none(), "no network of its own: {why}");
        let test = std::thread::current().name().unwrap().to_string();
        let mut again = Command::new("unshare");
        again.args(["--map-root-user", "--net"]).arg(std::env::current_exe().unwrap());
        let ran = again.args(["--exact", &test, "--nocapture"]).env(AGAIN, "1").status();
        assert!(ran.is_ok_and(|ran| ran.success()), "{test} needs a network of its own: {why}");
        return false;
    }
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    up(&socket).unwrap();
    for (n, member) in (1..).zip(members) {
        add(&socket, &format!("lo:{n}"), *member).unwrap();
    }
    true
}

fn named(name: &str) -> libc::ifreq {
    // SAFETY: all zeros are a value of this plain structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

fn up(socket: &UdpSocket) -> io::Result<()> {
    let mut request = named("lo");
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    ask(socket, libc::SIOCSIFFLAGS, &request)
}

/// An address of the loopback device makes all of its network local (a class C one: a /24).
fn add(socket: &UdpSocket, name: &str, address: Ipv4Addr) -> io::Result<()> {
    // SAFETY: all zeros are a value of this plain structure.
    let mut name_of: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    name_of.sin_family = libc::AF_INET as libc::sa_family_t;
    name_of.sin_addr.s_addr = u32::from(address).to_be();
    let mut request = named(name);
    // SAFETY: both are plain structures of sixteen octets (netdevice(7)).
    request.ifr_ifru.ifru_addr =
        unsafe { std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(name_of) };
    ask(socket, libc::SIOCSIFADDR, &request)
}

fn ask(socket: &UdpSocket, what: libc::c_ulong, request: &libc::ifreq) -> io::Result<()> {
    // SAFETY: the kernel reads `request`, which lives through the call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), what as _, request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
