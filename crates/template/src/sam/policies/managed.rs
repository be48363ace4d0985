//! AWS's managed policies by name.
//!
//! Most are at the root of `policy/`. Those that are not are listed in `managed.txt`: paths, and below each the
//! policies there. Policies of service-linked roles are not in it, because no other role can have them. A name that
//! AWS does not have gets the ARN that it would have; IAM says that there is none.
//! Source: the table of managed policies in `aws-sam-translator` 1.115.0, and the policy for durable functions.

/// Returns the ARN of a managed policy. What is no name stays as it is: ARNs, and dynamic references.
pub fn arn(partition: &str, name: &str) -> String {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
    if !is_name || name.is_empty() {
        return name.to_owned();
    }
    match path(name) {
        Some(path) => at(partition, &format!("{path}/{name}")),
        None => at(partition, name),
    }
}

/// Returns the ARN of one of AWS's managed policies by its path and name.
pub fn at(partition: &str, path: &str) -> String {
    format!("arn:{partition}:iam::aws:policy/{path}")
}

fn path(wanted: &str) -> Option<&'static str> {
    let mut path = None;
    for line in include_str!("managed.txt").lines() {
        match line.strip_prefix("  ") {
            Some(name) if name == wanted => return path,
            Some(_) => {}
            None => path = Some(line),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_arns() {
        let check = |name: &str, expected: &str| assert_eq!(arn("aws", name), expected);
        check("AmazonS3FullAccess", "arn:aws:iam::aws:policy/AmazonS3FullAccess");
        check("AWSLambdaBasicExecutionRole", "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole");
        let durable = "AWSLambdaBasicDurableExecutionRolePolicy";
        check(durable, &format!("arn:aws:iam::aws:policy/service-role/{durable}"));
        check("ViewOnlyAccess", "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess");
        check("arn:aws:iam::123456789012:policy/own", "arn:aws:iam::123456789012:policy/own");
        check("{{resolve:ssm:policy}}", "{{resolve:ssm:policy}}");
        check("", "");
        assert_eq!(arn("aws-cn", "ReadOnlyAccess"), "arn:aws-cn:iam::aws:policy/ReadOnlyAccess");
    }
}
