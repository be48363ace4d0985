//! The process of a function of AWS's conformance suite: its `Handler` is the number of the requirement.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    everstep::log::init()?;
    Ok(everstep_conformance::functions().run().await?)
}
