//! What the launcher needs of the system and safe libraries do not offer: all unsafe code of Everstep.
#![expect(unsafe_code, reason = "system calls without a safe wrapper")]

use std::ffi::CString;
use std::io;
use std::path::Path;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// Leaves these namespaces for new ones. File descriptors stay shared, whatever the flags say.
pub(super) fn unshare(spaces: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: what is dangerous is to take file descriptors away from other threads; that flag is removed.
    unsafe { rustix::thread::unshare_unsafe(spaces.difference(UnshareFlags::FILES)) }
}

/// Splits this process in two; the new one gets `None`.
///
/// # Errors
/// The system's, and if this process has a second thread: locks that it holds would stay locked in the new process.
pub(super) fn fork() -> io::Result<Option<Pid>> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("the launcher must not have a second thread"));
    }
    // SAFETY: there is one thread, so nothing is held by another at the moment of the fork.
    match unsafe { libc::fork() } {
        0 => Ok(None),
        id => Pid::from_raw(id).filter(|_| id > 0).map(Some).ok_or_else(io::Error::last_os_error),
    }
}

/// Makes a mount read-only, with or without the mounts below it, and its devices and set-user-id bits void.
pub(super) fn make_read_only(mount: &Path, recursive: bool) -> io::Result<()> {
    let path = CString::new(mount.as_os_str().as_encoded_bytes())?;
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path ends in a zero byte, the size is that of the attributes, and both outlive the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            if recursive { libc::AT_RECURSIVE } else { 0 },
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Filters the system calls of this process and of all that it starts, from now on. It must have given up new privileges.
pub(super) fn filter(program: &[libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel reads as many instructions as the length says, and writes none.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets SIGTERM pass by this process. A handler rather than "ignore", because what is ignored stays ignored in the
/// programs that are started.
pub(super) fn let_termination_pass() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: the handler does nothing, which is safe whenever a signal comes.
    unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
}

/// Ends this process by a signal, if that is what the signal does.
pub(super) fn end_by(number: i32) {
    // SAFETY: restores what the system does by itself at this signal, then sends it to this thread.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
    }
}
