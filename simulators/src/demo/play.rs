//! Plays the script: sends, waits for what becomes of each text, prints it, and checks it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use simulators::Neighbours;
use simulators::sms_agent::HistoryRow;

use super::client::Client;
use super::publish::publish;
use super::screen::{self, Line};
use super::script::{Person, SCRIPT, Step, Way};
use super::world::World;

/// How long an effect may take to show after the service has answered.
const SOON: Duration = Duration::from_secs(8);

/// Long enough for a second answer to arrive, if there were one.
const SETTLED: Duration = Duration::from_millis(1500);

pub(super) struct Play<'a> {
    client: Client,
    neighbours: &'a Neighbours,
    nats_port: u16,
    /// Of the newest text, for sending it again.
    sid: String,
    lines: usize,
    waiting: Option<String>,
    faults: Vec<String>,
}

/// What the service says about a text.
struct Outcome {
    action: String,
    confidence: Option<f64>,
    draft: Option<String>,
    duplicate: bool,
}

impl Outcome {
    fn of_answer(answer: &Value) -> Self {
        Self {
            action: text(&answer["action_taken"]),
            confidence: answer["confidence"].as_f64(),
            draft: answer["response_queue_id"].as_str().map(str::to_owned),
            duplicate: answer["duplicate"].as_bool().unwrap_or(false),
        }
    }

    fn of_workflow(workflow: &Value) -> Self {
        Self {
            action: text(&workflow["metadata"]["outcome"]),
            confidence: workflow["ai_confidence"].as_f64(),
            draft: workflow["response_queue_id"].as_str().map(str::to_owned),
            duplicate: false,
        }
    }
}

/// What the service's checks found wrong with a draft, and how sure the model was of it.
fn failed_check(draft: &Value) -> Option<String> {
    let checks = draft["checks"].as_array()?;
    let failed = checks.iter().find(|check| check["passed"] == false)?;
    let rated = draft["model_confidence"].as_f64().unwrap_or_default();
    let reason = text(&failed["reason"]);
    let sentence = reason
        .split_once(": ")
        .map_or(reason.as_str(), |(_, sentence)| sentence);
    let left = draft["confidence_score"].as_f64().unwrap_or_default();
    Some(format!("{rated:.2} → {left:.2}: {sentence}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("nothing yet").to_owned()
}

impl<'a> Play<'a> {
    pub fn new(world: &'a World) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new(world.port)?,
            neighbours: &world.neighbours,
            nats_port: world.nats_port(),
            sid: String::new(),
            lines: 0,
            waiting: None,
            faults: Vec::new(),
        })
    }

    pub async fn run(&mut self) -> anyhow::Result<()> {
        println!();
        screen::print(&Line {
            number: "",
            who: "tenant",
            text: "text",
            became: "became",
            because: "because",
            phone: "on the phone",
        });
        // The line of a text that is overtaken is printed once the other one is answered.
        let mut overtaken = None;
        for step in SCRIPT {
            let person = Person::of(step.tenant);
            let body = self.arrives(step, &person);
            if step.way == Way::HttpHurried {
                let answer = self.client.send_text(&body, "respond-async").await?;
                overtaken = Some((step, person, text(&answer["workflow_id"])));
                continue;
            }
            let texts = self.texts_to(&person);
            let outcome = self.send(step, &person, &body).await?;
            if let Some((step, person, workflow)) = overtaken.take() {
                let workflow = self.client.ended(&workflow, SOON).await?;
                let outcome = Outcome::of_workflow(&workflow);
                self.report(step, &person, &outcome, texts).await?;
            }
            self.report(step, &person, &outcome, texts).await?;
        }
        Ok(())
    }

    /// The text is in the agent's history before the service hears of it, as with the real one.
    fn arrives(&mut self, step: &Step, person: &Person) -> Value {
        if step.way != Way::HttpAgain {
            self.sid = format!("SM{}", uuid::Uuid::new_v4().simple());
            let mut row = HistoryRow::inbound(&person.phone, step.text);
            row.twilio_sid = Some(self.sid.clone());
            self.neighbours.sms_agent.add_row(row);
        }
        json!({
            "tenant_id": person.tenant,
            "phone_number": person.phone,
            "content": step.text,
            "conversation_id": person.conversation,
            "message_sid": self.sid,
        })
    }

    async fn send(&self, step: &Step, person: &Person, body: &Value) -> anyhow::Result<Outcome> {
        if step.way != Way::Nats {
            let answer = self.client.send_text(body, "wait=10").await?;
            return Ok(Outcome::of_answer(&answer));
        }
        let (port, body) = (self.nats_port, body.to_string());
        tokio::task::spawn_blocking(move || publish(port, "sms.received", &body))
            .await?
            .context("publishing on NATS")?;
        let workflow = self.client.ended(&person.conversation, SOON).await?;
        Ok(Outcome::of_workflow(&workflow))
    }

    /// Waits until the effects show, prints the line, notes what is not as the script says.
    async fn report(
        &mut self,
        step: &Step,
        person: &Person,
        outcome: &Outcome,
        texts: usize,
    ) -> anyhow::Result<()> {
        self.lines += 1;
        let number = self.lines.to_string();
        if step.answered {
            until(|| self.texts_to(person) > texts).await;
        }
        if step.needs_a_person() {
            until(|| self.told_about(person).is_some()).await;
        }
        let because = self.because(step, person, outcome).await?;
        let arrived = self.neighbours.sms_agent.messages_to(&person.phone);
        let phone = match arrived.last() {
            Some(text) if step.answered && arrived.len() > texts => text.body.to_string(),
            _ => "—".to_owned(),
        };
        screen::print(&Line {
            number: &number,
            who: &person.name,
            text: step.text,
            became: &outcome.action,
            because: &because,
            phone: &phone,
        });
        if outcome.action == "queued_for_approval" {
            self.waiting.clone_from(&outcome.draft);
        }
        let mut expect = |holds: bool, what: String| {
            if !holds {
                self.faults.push(format!("text {number}: {what}"));
            }
        };
        let (became, wanted) = (&outcome.action, step.becomes);
        expect(
            became == wanted,
            format!("became {became} instead of {wanted}"),
        );
        let again = step.way == Way::HttpAgain;
        expect(
            outcome.duplicate == again,
            format!("duplicate is {}", outcome.duplicate),
        );
        expect(
            !step.answered || phone != "—",
            "no answer arrived on the phone".to_owned(),
        );
        Ok(())
    }

    async fn because(
        &self,
        step: &Step,
        person: &Person,
        outcome: &Outcome,
    ) -> anyhow::Result<String> {
        let sure = outcome.confidence.map_or_else(String::new, |confidence| {
            format!("confidence {confidence:.2}")
        });
        Ok(match outcome.action.as_str() {
            _ if outcome.duplicate => "same message_sid: answered as before".to_owned(),
            "auto_sent" if outcome.confidence.is_none() => {
                "a keyword: the fixed answer, no model".to_owned()
            }
            "auto_sent" if step.way == Way::Nats => format!("{sure}, no HTTP: published on NATS"),
            "auto_sent" => format!("{sure}, nothing for a person"),
            "merged" => "answered together with the next text".to_owned(),
            "suppressed" if step.answered => "opted out: one confirmation, at once".to_owned(),
            "suppressed" => "opted out: nothing may be texted".to_owned(),
            "queued_for_approval" => {
                let draft = match &outcome.draft {
                    Some(id) => self.client.draft(id).await?,
                    None => Value::Null,
                };
                let reason = text(&draft["routing_reason"]).replace('_', " ");
                match failed_check(&draft) {
                    Some(found) => found,
                    None => format!("{sure}, {reason}"),
                }
            }
            // What managers are told names the trigger; the answer to the agent does not.
            "escalated" => self
                .told_about(person)
                .unwrap_or_else(|| "managers were not told yet".to_owned()),
            _ => sure,
        })
    }

    fn texts_to(&self, person: &Person) -> usize {
        self.neighbours.sms_agent.messages_to(&person.phone).len()
    }

    fn told_about(&self, person: &Person) -> Option<String> {
        let all = self.neighbours.notifications.notifications();
        let about = all.iter().find(|notification| {
            notification.metadata["conversation_id"] == person.conversation.as_str()
        })?;
        Some(text(&about.content["subject"]))
    }

    /// Counts, the id of a draft that waits, and what was not as the script says.
    pub async fn end(mut self) -> anyhow::Result<(Option<String>, Vec<String>)> {
        tokio::time::sleep(SETTLED).await;
        let arrived = self.neighbours.sms_agent.messages();
        let told = self.neighbours.notifications.notifications();
        println!(
            "\n{} texts in, {} texts on tenants' phones, {} notifications to managers",
            SCRIPT.len(),
            arrived.len(),
            told.len()
        );
        let mut answers: BTreeMap<String, usize> = BTreeMap::new();
        for step in SCRIPT {
            let phone = Person::of(step.tenant).phone;
            *answers.entry(phone).or_default() += usize::from(step.answered);
        }
        for (phone, expected) in answers {
            let got = self.neighbours.sms_agent.messages_to(&phone).len();
            if got != expected {
                self.faults
                    .push(format!("{got} texts on {phone} instead of {expected}"));
            }
        }
        for step in SCRIPT.iter().filter(|step| step.needs_a_person()) {
            let person = Person::of(step.tenant);
            if self.told_about(&person).is_none() {
                self.faults
                    .push(format!("no manager was told about {}", person.name));
            }
        }
        if self.waiting.is_none() {
            self.faults.push("no draft waits for approval".to_owned());
        }
        Ok((self.waiting, self.faults))
    }
}

/// Until it holds, or it has been too long; the checks behind it say what is missing.
async fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
