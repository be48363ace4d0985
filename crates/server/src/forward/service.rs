//! What AWS calls a service: on the command line, in signatures, and in variables that say where it is.
//!
//! Most have one name for all of that. The others that people use are listed here. Source: the service models of
//! botocore, with which a client test compares the list.

/// Services by their names on the command line, with the names that are signed for and the ends of their variables.
const NAMES: [(&str, &str, &str); 25] = [
    ("apigatewaymanagementapi", "execute-api", "APIGATEWAYMANAGEMENTAPI"),
    ("appconfigdata", "appconfig", "APPCONFIGDATA"),
    ("bedrock-agent", "bedrock", "BEDROCK_AGENT"),
    ("bedrock-agent-runtime", "bedrock", "BEDROCK_AGENT_RUNTIME"),
    ("bedrock-runtime", "bedrock", "BEDROCK_RUNTIME"),
    ("cloudwatch", "monitoring", "CLOUDWATCH"),
    ("cognito-idp", "cognito-idp", "COGNITO_IDENTITY_PROVIDER"),
    ("dynamodbstreams", "dynamodb", "DYNAMODB_STREAMS"),
    ("events", "events", "EVENTBRIDGE"),
    ("iot-data", "iotdata", "IOT_DATA_PLANE"),
    ("lexv2-runtime", "lex", "LEX_RUNTIME_V2"),
    ("location", "geo", "LOCATION"),
    ("logs", "logs", "CLOUDWATCH_LOGS"),
    ("neptunedata", "neptune-db", "NEPTUNEDATA"),
    ("opensearch", "es", "OPENSEARCH"),
    ("personalize-runtime", "personalize", "PERSONALIZE_RUNTIME"),
    ("pinpoint", "mobiletargeting", "PINPOINT"),
    ("route53", "route53", "ROUTE_53"),
    ("sagemaker-runtime", "sagemaker", "SAGEMAKER_RUNTIME"),
    ("secretsmanager", "secretsmanager", "SECRETS_MANAGER"),
    ("ses", "ses", "SES"),
    ("sesv2", "ses", "SESV2"),
    ("stepfunctions", "states", "SFN"),
    ("timestream-query", "timestream", "TIMESTREAM_QUERY"),
    ("timestream-write", "timestream", "TIMESTREAM_WRITE"),
];

/// Returns the name that requests to a service are signed for.
pub fn signing_name(name: &str) -> &str {
    known(name).map_or(name, |(_, signing_name, _)| signing_name)
}

/// Returns the variable that tells AWS's SDKs where a service is.
pub fn endpoint_variable(name: &str) -> String {
    let end = known(name).map_or_else(|| name.to_uppercase().replace('-', "_"), |(_, _, end)| end.into());
    format!("AWS_ENDPOINT_URL_{end}")
}

fn known(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    NAMES.into_iter().find(|(known, _, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_the_names_that_aws_gives_them() {
        let check = |name: &str, signing: &str, variable: &str| {
            assert_eq!((signing_name(name), endpoint_variable(name).as_str()), (signing, variable));
        };
        check("dynamodb", "dynamodb", "AWS_ENDPOINT_URL_DYNAMODB");
        check("bedrock-runtime", "bedrock", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME");
        check("rds-data", "rds-data", "AWS_ENDPOINT_URL_RDS_DATA");
        check("logs", "logs", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS");
        check("secretsmanager", "secretsmanager", "AWS_ENDPOINT_URL_SECRETS_MANAGER");
    }
}
