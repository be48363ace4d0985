//! Starts function processes for tests of this crate, as the server's own binary does for itself.

fn main() {
    everstep_worker::sandbox::enter_if_asked();
    eprintln!("this program is for tests: it only starts functions for a supervisor");
    std::process::exit(2);
}
