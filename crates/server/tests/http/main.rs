//! The server as clients see it: real sockets, real signatures, real processes; status, headers and bodies on view.

mod asynchronous;
mod concurrency;
mod durable;
mod everstep;
mod forward;
mod function_urls;
mod functions;
mod iam;
mod invoke;
mod layers;
mod logs;
mod permissions;
mod permitted;
mod processes;
mod records;
mod repositories;
mod requests;
mod s3;
mod sam_local;
mod signatures;
mod ssm;
mod stacks;
mod stopping;
mod streaming;
mod sts;
mod world;
