//! Which system calls a room does without: a program for the kernel's filter (classic BPF).
//!
//! Everything is allowed but what makes rooms within rooms, what an ordinary function never needs and kernels have
//! often been attacked by, and, where only the watchdog looks at memory, memory that it would not see.

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO,
    c_long, sock_filter,
};

/// Refused with `EPERM`, as the kernel refuses them to the unprivileged on many systems.
const REFUSED: [c_long; 15] = [
    // Other namespaces, in which a function would have privileges, and mounts of its own.
    libc::SYS_unshare,
    libc::SYS_setns,
    // Ways into the kernel.
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_fanotify_init,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_acct,
];

/// Memory that is in no process's sum: files in memory and System V segments.
const UNCOUNTED_MEMORY: [c_long; 3] = [libc::SYS_memfd_create, libc::SYS_memfd_secret, libc::SYS_shmget];

/// Flags of `clone` that make namespaces.
const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Where the filter finds the number of the call, the architecture and the low half of the first argument.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = if cfg!(target_endian = "little") { 16 } else { 20 };

/// What this program was compiled for; numbers of other architectures mean other calls.
#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

/// The bit that tells the numbers of x32, another architecture that calls itself x86-64.
const OTHER_NUMBERS: u32 = 0x4000_0000;

/// Returns the program. `counted` says that the kernel counts all memory.
pub(super) fn program(counted: bool) -> Vec<sock_filter> {
    let (refuse, absent) = (errno(libc::EPERM), errno(libc::ENOSYS));
    let mut program = vec![
        load(ARCHITECTURE),
        skip_if(BPF_JEQ, NATIVE, 1),
        absent,
        load(NUMBER),
        skip_unless(BPF_JGE, OTHER_NUMBERS, 1),
        absent,
    ];
    let uncounted = UNCOUNTED_MEMORY.iter().filter(|_| !counted);
    for call in REFUSED.iter().chain(uncounted) {
        program.extend([skip_unless(BPF_JEQ, number(*call), 1), refuse]);
    }
    program.extend([
        // Its flags are behind a pointer, where the filter cannot look; C libraries then use `clone`.
        skip_unless(BPF_JEQ, number(libc::SYS_clone3), 1),
        absent,
        skip_unless(BPF_JEQ, number(libc::SYS_clone), 3),
        load(FIRST_ARGUMENT),
        skip_unless(BPF_JSET, NAMESPACES.cast_unsigned(), 1),
        refuse,
        returns(SECCOMP_RET_ALLOW),
    ]);
    program
}

fn number(call: c_long) -> u32 {
    u32::try_from(call).expect("numbers of system calls are small")
}

fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

/// Skips so many instructions if the comparison holds.
fn skip_if(comparison: u32, value: u32, skipped: u8) -> sock_filter {
    instruction(BPF_JMP | comparison | BPF_K, value, skipped, 0)
}

/// Skips so many instructions unless the comparison holds.
fn skip_unless(comparison: u32, value: u32, skipped: u8) -> sock_filter {
    instruction(BPF_JMP | comparison | BPF_K, value, 0, skipped)
}

fn errno(number: i32) -> sock_filter {
    returns(SECCOMP_RET_ERRNO | number.cast_unsigned())
}

fn returns(verdict: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, verdict, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: u16::try_from(code).expect("codes of instructions are small"), jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would, on one call.
    fn verdict(counted: bool, architecture: u32, call: c_long, argument: i32) -> u32 {
        let program = program(counted);
        let (mut at, mut register) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            let code = u32::from(code);
            at += 1;
            let holds = match code & 0xf0 {
                BPF_JEQ => register == k,
                BPF_JGE => register >= k,
                BPF_JSET => register & k != 0,
                _ => false,
            };
            match code & 0x07 {
                BPF_RET => return k,
                BPF_LD if k == NUMBER => register = number(call),
                BPF_LD if k == ARCHITECTURE => register = architecture,
                BPF_LD => register = argument.cast_unsigned(),
                _ => at += usize::from(if holds { jt } else { jf }),
            }
        }
    }

    #[track_caller]
    fn check(counted: bool, call: c_long, argument: i32, expected: u32) {
        assert_eq!(verdict(counted, NATIVE, call, argument), expected, "{call} {argument}");
    }

    #[test]
    fn rooms_within_rooms_and_what_kernels_were_attacked_by_are_refused() {
        let refused = SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
        for call in REFUSED {
            check(true, call, 0, refused);
        }
        check(true, libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, refused);
        check(true, libc::SYS_clone, libc::CLONE_VM | libc::CLONE_THREAD, SECCOMP_RET_ALLOW);
        for call in [libc::SYS_read, libc::SYS_execve, libc::SYS_mmap, libc::SYS_socket] {
            check(true, call, -1, SECCOMP_RET_ALLOW);
        }
    }

    #[test]
    fn memory_that_nobody_counts_is_refused_unless_it_is_counted() {
        for call in UNCOUNTED_MEMORY {
            check(false, call, 0, SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned());
            check(true, call, 0, SECCOMP_RET_ALLOW);
        }
    }

    #[test]
    fn other_numbers_and_architectures_are_not_there() {
        let absent = SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
        check(true, libc::SYS_clone3, 0, absent);
        check(true, c_long::from(OTHER_NUMBERS) | libc::SYS_read, 0, absent);
        assert_eq!(verdict(true, 0x4000_0003, libc::SYS_read, 0), absent);
    }
}
