//! The form of a template: what is refused before anything is evaluated, and with which words.

use everstep_template::{Capability, Template, document, limits};

use crate::support::bind;

const RESOURCE: &str = "Resources: {R: {Type: 'AWS::SQS::Queue'}}";

fn check_refused(text: &str, message: &str) {
    assert_eq!(bind(text, &[]).unwrap_err().to_string(), message, "{text}");
}

#[test]
fn sections_are_read_strictly() {
    for (text, message) in [
        ("Description: x", "Template format error: At least one Resources member must be defined."),
        ("Resources: {}", "Template format error: At least one Resources member must be defined."),
        ("Resources: [a]", "Template format error: 'Resources' must be an object."),
        ("Resource: {}", "Invalid template property or properties [Resource]"),
        ("Resources:", "Template format error: [/Resources] 'null' values are not allowed in templates"),
        (
            "AWSTemplateFormatVersion: 2010-09-08",
            "Template format error: 2010-09-08 is not a supported value for AWSTemplateFormatVersion.",
        ),
        ("Description: [x]", "Template format error: Every Description member must be a string."),
        ("Mappings: {M: {a: b}}", "Template format error: Every Mappings attribute must be a String or a List: [M]"),
        ("Mappings: {a-b: {}}", "Template format error: Mappings name a-b is non alphanumeric."),
        ("Parameters: {a_b: {Type: String}}", "Template format error: Parameter name a_b is non alphanumeric."),
        (
            "Outputs: {O: {Value: x, Name: y}}",
            "Template format error: Output O is malformed. It has no property 'Name'.",
        ),
        ("Outputs: {O: {}}", "Template format error: Every Outputs member must contain a Value object"),
        ("Outputs: {O-P: {Value: x}}", "Template format error: Outputs name O-P is non alphanumeric."),
        (
            "Outputs: {O: {Value: !Ref X}}",
            "Template format error: Unresolved resource dependencies [X] in the Outputs block of the template",
        ),
        (
            "Outputs: {O: {Value: x, Export: {Name: 'a b'}}}",
            "Template format error: Output O is malformed. The Name field of every Export member must be specified and consist \
             only of alphanumeric characters, colons, or hyphens.",
        ),
        (
            "Outputs: {O: {Value: x, Condition: C}}",
            "Template format error: Unresolved condition dependency C in the Outputs block of the template",
        ),
    ] {
        let resources = if text.starts_with("Resource") || text == "Description: x" { "" } else { RESOURCE };
        check_refused(&format!("{text}\n{resources}"), message);
    }
}

#[test]
fn resources_are_read_strictly() {
    for (resource, message) in [
        ("{}", "Template format error: [/Resources/R] Every Resources object must contain a Type member."),
        ("x", "Template format error: [/Resources/R] Every Resources member must be an object."),
        ("{Type: [a]}", "Template format error: [/Resources/R/Type] Every Type member must be a string."),
        ("{Type: 'AWS::SQS::Queue', Size: 1}", "Invalid template resource property 'Size'"),
        (
            "{Type: 'AWS::SQS::Queue', DependsOn: S}",
            "Template format error: Unresolved resource dependencies [S] in the Resources block of the template",
        ),
        (
            "{Type: 'AWS::SQS::Queue', DependsOn: {S: 1}}",
            "Template format error: Every DependsOn value must be a string or a list of strings.",
        ),
        (
            "{Type: 'AWS::SQS::Queue', Condition: C}",
            "Template format error: Unresolved condition dependency C in the Resources block of the template",
        ),
        (
            "{Type: 'AWS::SQS::Queue', DeletionPolicy: Keep}",
            "Template format error: Unrecognized DeletionPolicy \"Keep\" for resource R",
        ),
        (
            "{Type: 'AWS::SQS::Queue', UpdateReplacePolicy: RetainExceptOnCreate}",
            "Template format error: Unrecognized UpdateReplacePolicy \"RetainExceptOnCreate\" for resource R",
        ),
        (
            "{Type: 'AWS::SQS::Queue', Properties: [x]}",
            "Template format error: [/Resources/R/Properties] Every Properties member must be an object.",
        ),
        (
            "{Type: 'AWS::SQS::Queue', Properties: {QueueName: !Sub '${S.Arn}'}}",
            "Template error: instance of Fn::Sub references invalid resource attribute S.Arn",
        ),
        ("{Type: 'AWS::SQS::Queue', Properties: {QueueName: !Ref R}}", "Circular dependency between resources: [R]"),
    ] {
        check_refused(&format!("Resources: {{R: {resource}}}"), message);
    }
    let cyclic = "
Resources:
  A: {Type: 'AWS::SQS::Queue', DependsOn: B}
  B: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !Sub '${C.QueueName}'}}
  C: {Type: 'AWS::SQS::Queue', DependsOn: [A]}
  Before: {Type: 'AWS::SQS::Queue'}
  Behind: {Type: 'AWS::SQS::Queue', DependsOn: [A, Before]}
";
    check_refused(cyclic, "Circular dependency between resources: [A, B, C]");
    check_refused(
        "Resources: {'Fn::ForEach::X': [a, [b], {}]}",
        "Template error: Fn::ForEach::X needs the transform AWS::LanguageExtensions, which Everstep does not serve",
    );
}

#[test]
fn conditions_are_about_parameters_and_each_other() {
    for (conditions, message) in [
        (
            "{C: x}",
            "Template format error: Conditions can only be boolean operations on parameters and other conditions, in condition C",
        ),
        (
            "{C: !Equals [!Ref R, x]}",
            "Template format error: Unresolved dependencies [R]. Cannot reference resources in the Conditions block of the template",
        ),
        (
            "{C: !Not [!Condition D]}",
            "Template format error: Unresolved condition dependency D in the Conditions block of the template",
        ),
        (
            "{C: !Not [!Condition D], D: !Not [!Condition C]}",
            "Template error: Found circular condition dependency: C, D",
        ),
        ("{C: !Equals [a]}", "Template error: every Fn::Equals object requires a list of 2 string parameters."),
        ("{C: !Not x}", "Template error: every Fn::Not object requires one boolean parameter."),
        (
            "{C: !And [!Equals [a, a]]}",
            "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters.",
        ),
    ] {
        check_refused(&format!("Conditions: {conditions}\n{RESOURCE}"), message);
    }
}

#[test]
fn conditions_hold_or_not() {
    let check = |condition: &str, holds: bool| {
        let text = format!(
            "
Parameters: {{Stage: {{Type: String, Default: prod}}, Zones: {{Type: CommaDelimitedList, Default: 'a,b'}}}}
Mappings: {{M: {{prod: {{big: true}}}}}}
Conditions:
  Prod: !Equals [!Ref Stage, prod]
  Here: {condition}
Resources: {{R: {{Type: 'AWS::SQS::Queue', Condition: Here}}, S: {{Type: 'AWS::SQS::Queue', DependsOn: R}}}}
"
        );
        let bound = bind(&text, &[]).unwrap();
        assert_eq!(bound.resources().contains_key("R"), holds, "{condition}");
    };
    check("!Condition Prod", true);
    check("!Not [!Condition Prod]", false);
    check("!Equals [1, '1']", true);
    check("!Equals [true, 'true']", true);
    check("!Equals [!Ref Zones, [a, b]]", true);
    check("!Equals [!Join ['', !Ref Zones], '']", false);
    check("!And [!Condition Prod, !Equals [a, b]]", false);
    check("!Or [!Condition Prod, !Equals [a, b]]", true);
    check("!Equals [!FindInMap [M, !Ref Stage, big], true]", true);
    check("!Equals [!If [Prod, x, y], x]", true);
}

#[test]
fn rules_are_evaluated() {
    let check = |rule: &str, message: Option<&str>| {
        let text = format!(
            "
Parameters: {{Version: {{Type: String, Default: '5'}}, Zones: {{Type: CommaDelimitedList, Default: 'a,b'}}}}
Rules: {{Sound: {rule}}}
{RESOURCE}
"
        );
        assert_eq!(bind(&text, &[]).err().map(|refused| refused.to_string()).as_deref(), message, "{rule}");
    };
    let old = "{Assert: !Not [!Contains [['4', '5'], !Ref Version]], AssertDescription: too old}";
    check(&format!("{{Assertions: [{old}]}}"), Some("Template validation error: rule Sound failed: too old"));
    check(&format!("{{RuleCondition: !Equals [!Ref Version, '6'], Assertions: [{old}]}}"), None);
    check("{Assertions: [{Assert: !EachMemberIn [!Ref Zones, [a, b, c]]}]}", None);
    check(
        "{Assertions: [{Assert: !EachMemberEquals [!Ref Zones, a]}]}",
        Some("Template validation error: rule Sound failed: an assertion failed"),
    );
    check("{}", Some("Template format error: Rule Sound must have Assertions, a list of objects with an Assert"));
}

#[test]
fn imports_are_values_of_other_stacks_and_are_named() {
    let text = "
Parameters: {Stack: {Type: String, Default: network}}
Resources: {R: {Type: 'AWS::SQS::Queue', Properties: {QueueName: {Fn::ImportValue: !Sub '${Stack}-name'}}}}
";
    let template = Template::read(&document::parse(text).unwrap()).unwrap();
    let exports = [("network-name".to_owned(), "x".to_owned()), ("other".to_owned(), "y".to_owned())].into();
    let bound = template.bind(&Default::default(), &crate::support::place(), &exports).unwrap();
    assert_eq!(bound.imports(), &["network-name".to_owned()].into());
    let refused = template.bind(&Default::default(), &crate::support::place(), &Default::default()).unwrap_err();
    assert_eq!(refused.to_string(), "No export named network-name found");
}

#[test]
fn outputs_have_values_and_exports() {
    let text = "
Parameters: {Days: {Type: Number, Default: 0}}
Conditions: {Never: !Equals [!Ref Days, 1]}
Resources: {R: {Type: 'AWS::SQS::Queue'}}
Outputs:
  Arn: {Value: !GetAtt R.Arn, Description: where, Export: {Name: !Sub '${AWS::StackName}:arn'}}
  Count: {Value: 3}
  Gone: {Value: x, Condition: Never}
";
    let outputs = bind(text, &[]).unwrap().outputs(&crate::support::Existing).unwrap();
    let shown: Vec<_> = outputs
        .iter()
        .map(|output| (output.key.as_str(), output.value.as_str(), output.export_name.as_deref()))
        .collect();
    assert_eq!(shown, [("Arn", "r-id/Arn", Some("orders:arn")), ("Count", "3", None)]);
    assert_eq!(outputs[0].description.as_deref(), Some("where"));
    let nothing = "Resources: {R: {Type: 'AWS::SQS::Queue'}}\nOutputs: {O: {Value: !Ref 'AWS::NoValue'}}";
    let refused = bind(nothing, &[]).unwrap().outputs(&crate::support::Existing).unwrap_err().to_string();
    assert_eq!(refused, r#"Template error: {"Ref":"AWS::NoValue"} has no value"#);
    let list = "Resources: {R: {Type: 'AWS::SQS::Queue'}}\nOutputs: {O: {Value: [a]}}";
    let refused = bind(list, &[]).unwrap().outputs(&crate::support::Existing).unwrap_err().to_string();
    assert_eq!(refused, "Template format error: The Value field of every Outputs member must evaluate to a String.");
}

#[test]
fn capabilities_are_asked_for_with_a_reason() {
    let check = |resource: &str, expected: Option<Capability>| {
        let template = Template::read(&document::parse(&format!("Resources: {{R: {resource}}}")).unwrap()).unwrap();
        let summary = template.summary();
        assert_eq!(summary.capability, expected, "{resource}");
        let reason = expected
            .map(|_| format!("The following resource(s) require capabilities: [{}]", summary.resource_types[0]));
        assert_eq!(summary.capabilities_reason, reason, "{resource}");
    };
    check("{Type: 'AWS::SQS::Queue'}", None);
    check("{Type: 'AWS::IAM::Role'}", Some(Capability::Iam));
    check("{Type: 'AWS::IAM::Role', Properties: {RoleName: !Ref 'AWS::StackName'}}", Some(Capability::NamedIam));
    check("{Type: 'AWS::IAM::Role', Properties: {RoleName: !Ref 'AWS::NoValue'}}", Some(Capability::Iam));
    check("{Type: 'AWS::IAM::Policy', Properties: {PolicyName: x}}", Some(Capability::Iam));
    check("{Type: 'AWS::IAM::ManagedPolicy', Properties: {ManagedPolicyName: x}}", Some(Capability::NamedIam));
    let granted = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert!(Capability::Iam.is_granted(&granted(&["CAPABILITY_NAMED_IAM"])));
    assert!(!Capability::NamedIam.is_granted(&granted(&["CAPABILITY_IAM"])));
    assert!(!Capability::Iam.is_granted(&granted(&["CAPABILITY_AUTO_EXPAND"])));
}

#[test]
fn sections_have_limits() {
    let many = |section: &str, count: usize, member: &str| {
        let members: Vec<String> = (0..count).map(|index| format!("X{index}: {member}")).collect();
        format!("{section}: {{{}}}\n{}", members.join(", "), if section == "Resources" { "" } else { RESOURCE })
    };
    for (section, what, most, member) in [
        ("Resources", "resources", limits::RESOURCES_MAX, "{Type: 'AWS::SQS::Queue'}"),
        ("Parameters", "parameters", limits::PARAMETERS_MAX, "{Type: String, Default: ''}"),
        ("Outputs", "outputs", limits::OUTPUTS_MAX, "{Value: x}"),
        ("Mappings", "mappings", limits::MAPPINGS_MAX, "{}"),
    ] {
        assert!(bind(&many(section, most, member), &[]).is_ok(), "{section}");
        let message =
            format!("Template format error: Number of {what}, {}, is greater than maximum allowed, {most}", most + 1);
        check_refused(&many(section, most + 1, member), &message);
    }
    let named = |characters: usize| format!("Resources: {{{}: {{Type: 'AWS::SQS::Queue'}}}}", "n".repeat(characters));
    assert!(bind(&named(limits::NAME_CHARACTERS_MAX), &[]).is_ok());
    assert!(
        bind(&named(limits::NAME_CHARACTERS_MAX + 1), &[])
            .unwrap_err()
            .to_string()
            .ends_with("must not be longer than 255 characters.")
    );
    let described = |bytes: usize| format!("Description: {}\n{RESOURCE}", "d".repeat(bytes));
    assert!(bind(&described(limits::DESCRIPTION_BYTES_MAX), &[]).is_ok());
    check_refused(
        &described(limits::DESCRIPTION_BYTES_MAX + 1),
        "Template format error: 'Description' length is greater than 1024.",
    );
    let any =
        |count: usize| format!("Conditions: {{C: !Or [{}]}}\n{RESOURCE}", vec!["!Equals [a, a]"; count].join(", "));
    assert!(bind(&any(limits::CONDITIONS_MAX), &[]).is_ok());
    assert!(bind(&any(limits::CONDITIONS_MAX + 1), &[]).is_err());
}

#[test]
fn a_short_template_cannot_ask_for_very_much() {
    // Each use costs the text and 8 bytes, here and for whatever makes it.
    let uses = |count: usize| {
        let names = vec!["!Ref P"; count].join(", ");
        format!(
            "Parameters: {{P: {{Type: String, Default: {}}}}}\nResources: {{R: {{Type: 'Custom::X', Properties: {{V: [{names}]}}}}}}",
            "p".repeat(4088)
        )
    };
    let most = limits::EVALUATED_BYTES_MAX / 4096;
    assert!(bind(&uses(most), &[]).is_ok());
    check_refused(&uses(most + 1), "Template error: the functions of the template make more than 16777216 bytes");
}

#[test]
fn nested_uses_do_not_multiply() {
    let nested = |name: &str| {
        let seed = format!("{{'Fn::Sub': ['${{{name}}}', {{}}]}}");
        (0..15).fold(seed, |inner, _| format!("{{'Fn::Sub': ['{}', {{v: {inner}}}]}}", "${v}".repeat(40)))
    };
    let template = |name: &str| {
        let value = nested(name);
        format!("Resources: {{Q: {{Type: 'AWS::SQS::Queue'}}, R: {{Type: 'Custom::X', Properties: {{V: {value}}}}}}}")
    };
    check_refused(
        &template("AWS::Region"),
        "Template error: the functions of the template make more than 16777216 bytes",
    );
    let bound = bind(&template("Q"), &[]).unwrap();
    assert!(serde_json::to_string(&bound.deployed()).unwrap().len() < 10_000);
    assert!(bound.properties("R", &crate::support::Existing).unwrap().is_err());
}
