//! Conversations as a model reads them: its own chat template, which may be hostile.

use data::Message;
use lm::Tokenizer;
use minijinja::{Environment, Error as Problem, ErrorKind, Value, context, syntax::SyntaxConfig};
use minijinja_contrib::pycompat::unknown_method_callback;

use crate::{Error, Result};

/// Bytes of a template at most; the longest in use have some twenty thousand.
const LONGEST: usize = 1 << 20;

/// Work and memory one conversation may take: some millions of steps, or 128 MiB.
const FUEL: u64 = 2_000_000;

/// Calls within calls at most.
const DEPTH: usize = 64;

const NAME: &str = "chat template";

/// Stands for what a user says while a template is taken apart.
const MARK: &str = "SECATEURMARK";

/// A model's chat template, ready for conversations.
pub(crate) struct Template {
    environment: Environment<'static>,
    begin: String,
    end: String,
}

/// What a template writes around a user's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Before the request.
    pub(crate) opening: String,
    /// Between the request and the answer.
    pub(crate) turn: String,
}

impl Template {
    /// The template of `tokenizer`.
    ///
    /// # Errors
    /// When there is none, or it is none.
    pub(crate) fn of(tokenizer: &Tokenizer) -> Result<Self> {
        let Some(source) = &tokenizer.chat_template else {
            let problem = "there is none, so conversations cannot be written as the model reads \
                           them; use an instruction-tuned model, or data without conversations";
            return Err(Error::Template(problem.into()));
        };
        if source.len() > LONGEST {
            let problem = format!("{} bytes, {LONGEST} are the most that is taken", source.len());
            return Err(Error::Template(problem));
        }
        let mut environment = environment();
        let added = environment.add_template_owned(NAME, source.clone());
        added.map_err(|error| failed("it cannot be read", &error))?;
        let special = |token: Option<u32>| {
            token.map_or(Ok(String::new()), |token| tokenizer.decode(&[token], true))
        };
        let (begin, end) = (special(tokenizer.bos)?, special(tokenizer.eos.first().copied())?);
        Ok(Self { environment, begin, end })
    }

    /// The conversation as the model reads it; with `answer`, up to where the model's answer begins.
    ///
    /// # Errors
    /// When the template refuses it, fails or takes too much time or memory.
    pub(crate) fn render(&self, messages: &[Message], answer: bool) -> Result<String> {
        let template = self.environment.get_template(NAME);
        let template = template.map_err(|error| failed("it cannot be used", &error))?;
        let context = context! {
            messages => messages.iter().map(said).collect::<Vec<Value>>(),
            add_generation_prompt => answer,
            bos_token => self.begin.as_str(),
            eos_token => self.end.as_str(),
        };
        template.render(context).map_err(|error| failed("a conversation cannot be written", &error))
    }

    /// What stands around a user's request.
    ///
    /// # Errors
    /// When the template does not write the request as it is.
    pub(crate) fn frame(&self) -> Result<Frame> {
        let message = Message { role: "user".into(), content: MARK.into() };
        let text = self.render(&[message], true)?;
        match text.split_once(MARK) {
            Some((opening, turn)) if !turn.contains(MARK) => {
                Ok(Frame { opening: opening.into(), turn: turn.into() })
            }
            _ => Err(Error::Template("it does not write a user's request once, as it is".into())),
        }
    }
}

/// Jinja as chat templates expect it, bounded.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters are no contradiction"));
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.add_function(
        "raise_exception",
        |text: String| -> std::result::Result<Value, Problem> {
            Err(Problem::new(ErrorKind::InvalidOperation, text))
        },
    );
    // A date would make a text depend on the day it was written.
    environment.add_function("strftime_now", |_format: String| "26 Jul 2024");
    environment
}

fn said(message: &Message) -> Value {
    context! { role => message.role.as_str(), content => message.content.as_str() }
}

fn failed(what: &str, error: &Problem) -> Error {
    let line = error.line().map_or(String::new(), |line| format!(" (line {line})"));
    let mut reason = error.to_string();
    reason.truncate(reason.floor_char_boundary(300));
    Error::Template(format!("{what}: {reason}{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHATML: &str = "{%- for message in messages %}\n{%- if loop.first and message.role != \
        'system' %}{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}{% endif %}{{ '<|im_start|>' + \
        message['role'] + '\\n' + message.content.strip() + '<|im_end|>' + '\\n' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    fn template(source: &str) -> Result<Template> {
        let json = testkit::tokenizer_json(272).to_string();
        let mut tokenizer = Tokenizer::from_json(json.as_bytes(), None, vec![]).unwrap();
        tokenizer.chat_template = Some(source.into());
        Template::of(&tokenizer)
    }

    fn message(role: &str, content: &str) -> Message {
        Message { role: role.into(), content: content.into() }
    }

    #[test]
    fn conversations_are_written_as_the_template_says() {
        let template = template(CHATML).unwrap();
        let messages = [message("user", " Hi! "), message("assistant", "Hello.")];
        assert_eq!(
            template.render(&messages, false).unwrap(),
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n\
             <|im_start|>assistant\nHello.<|im_end|>\n"
        );
        let Frame { opening, turn } = template.frame().unwrap();
        assert_eq!(opening, "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n");
        assert_eq!(turn, "<|im_end|>\n<|im_start|>assistant\n");
    }

    #[test]
    fn hostile_templates_are_errors() {
        let hostile = [
            "{% if",
            "{{ messages[0].content.nothing.at.all }}",
            "{{ raise_exception('no') }}",
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(99) %}{% set ns.x = ns.x ~ \
             ns.x %}{% endfor %}{{ ns.x }}",
            "{{ 'x' * 9999999999 }}",
            "{{ ('x' * 1000000) | replace('x', 'x' * 1000000) }}",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "{{ '%99999999999d' | format(1) }}",
            "{{ 'x' | indent(99999999999) }}",
            "{% include 'chat template' %}",
        ];
        for source in hostile {
            let made = template(source).and_then(|t| t.render(&[message("user", "hi")], true));
            let message = made.map(|text| text.len()).unwrap_err().to_string();
            assert!(message.starts_with("the model's chat template: "), "{source}: {message}");
        }
        let deep = format!("{}{}", "{% if a %}".repeat(5000), "{% endif %}".repeat(5000));
        assert!(template(&deep).is_err());
        assert!(template(&"x".repeat(LONGEST + 1)).is_err());
        assert!(template("no request").unwrap().frame().is_err());
    }
}
