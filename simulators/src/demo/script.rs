//! Who writes what in the demo, and what has to become of it.

use serde_json::Value;
use simulators::tenants::Tenants;

/// How a text reaches the service.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// As the SMS Agent posts it.
    Http,
    /// The last text of the same person once more, as an agent that got no answer would.
    HttpAgain,
    /// Without waiting for an answer, so that the next text overtakes it.
    HttpHurried,
    /// Straight onto the subject, without HTTP.
    Nats,
}

/// One text and what has to become of it.
pub(super) struct Step {
    /// As the Monitor knows the tenant; `None` writes from a number that nobody has.
    pub tenant: Option<&'static str>,
    pub text: &'static str,
    pub way: Way,
    pub becomes: &'static str,
    /// Whether the tenant's phone gets an answer.
    pub answered: bool,
}

impl Step {
    /// Whether a person is asked to look at it.
    pub fn needs_a_person(&self) -> bool {
        matches!(self.becomes, "queued_for_approval" | "escalated")
    }
}

const fn step(
    tenant: Option<&'static str>,
    text: &'static str,
    way: Way,
    becomes: &'static str,
    answered: bool,
) -> Step {
    Step {
        tenant,
        text,
        way,
        becomes,
        answered,
    }
}

const JAMES: Option<&str> = Some("12346");
const MARIA: Option<&str> = Some("12345");
const ROSA: Option<&str> = Some("12347");
const SHAPE_B: Option<&str> = Some("20481");

pub(super) const SCRIPT: &[Step] = &[
    step(
        JAMES,
        "I can pay $115 every week for 8 weeks",
        Way::Http,
        "auto_sent",
        true,
    ),
    step(
        JAMES,
        "I can pay $115 every week for 8 weeks",
        Way::HttpAgain,
        "auto_sent",
        false,
    ),
    step(
        MARIA,
        // Inside the limits, but she broke a plan before: a manager looks.
        "Hola, puedo pagar 75 por semana por 8 semanas",
        Way::Http,
        "queued_for_approval",
        false,
    ),
    step(SHAPE_B, "How much do I owe?", Way::Nats, "auto_sent", true),
    step(
        Some("40001"),
        "Hi, this is Carla",
        Way::HttpHurried,
        "merged",
        false,
    ),
    step(
        Some("40001"),
        "How much do I owe?",
        Way::Http,
        "auto_sent",
        true,
    ),
    step(
        ROSA,
        "The man for the heating came and asked about the rent",
        Way::Http,
        "queued_for_approval",
        false,
    ),
    // The model adds up badly and is sure of it; the checks see it, and a manager gets the draft.
    step(
        Some("40006"),
        "I can pay 75 a week for 10 weeks. How much is that in total?",
        Way::Http,
        "queued_for_approval",
        false,
    ),
    step(
        Some("40002"),
        "You are all scammers, leave it",
        Way::Http,
        "escalated",
        false,
    ),
    step(
        Some("40003"),
        "I already paid that on Monday",
        Way::Http,
        "escalated",
        false,
    ),
    step(
        Some("40004"),
        "It is about the thing, you know [confidence=0.41]",
        Way::Http,
        "escalated",
        false,
    ),
    step(None, "Who is this?", Way::Http, "escalated", false),
    step(Some("40005"), "HELP", Way::Http, "auto_sent", true),
    // One confirmation, and then nothing any more.
    step(Some("40005"), "STOP", Way::Http, "suppressed", true),
    step(
        Some("40005"),
        "How much do I owe?",
        Way::Http,
        "suppressed",
        false,
    ),
];

/// Who writes.
pub(super) struct Person {
    pub name: String,
    pub tenant: Option<&'static str>,
    pub phone: String,
    pub conversation: String,
}

/// Ends as no tenant's number does.
const NOBODYS_NUMBER: &str = "+12025550000";

impl Person {
    /// Name and number as the simulated Monitor has them.
    pub fn of(tenant: Option<&'static str>) -> Self {
        let known = tenant.and_then(|id| Tenants::default().get(id));
        let field = |read: fn(&Value) -> &Value, name: &str| {
            let value = known.as_ref()?.fields.get(name)?;
            read(value).as_str().map(str::to_owned)
        };
        let phone = field(|numbers| &numbers[0], "phone_numbers");
        Self {
            name: field(|name| name, "tenant_name").unwrap_or_else(|| "unknown".to_owned()),
            tenant,
            phone: phone.unwrap_or_else(|| NOBODYS_NUMBER.to_owned()),
            conversation: format!("conv-{}", tenant.unwrap_or("stranger")),
        }
    }
}
