//! Mistakes that replay does not survive do not compile. What a user is told is kept beside each of them; after a change
//! `TRYBUILD=overwrite cargo test -p everstep --test compile_fail` writes it anew.

#[test]
fn mistakes_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
