//! What is pressed, by whom; and what a waiting caller presses: the keys that the line offers, and
//! a menu of one level. A menu is a hint and never a gate: whoever says nothing, or something else,
//! waits for a human.

use super::calls::{Calls, Io};
use super::leg::Pressed;
use super::{Effect, EndedBy, Fact, Goal, Line, Means, Role};
use crate::base::{CallId, LegId, QueueId, Timer};
use crate::media::control::Command;
use crate::say::{Phrase, Thing};
use crate::sip::Act;
use std::time::Duration;

/// The longest that a menu may take to say, whatever the data plane tells.
const SAYING_MAX: Duration = Duration::from_secs(60);

/// The same key in an INFO and among the audio within this time is one press.
const TWICE_WITHIN: Duration = Duration::from_secs(1);

impl Calls {
    /// A key in an INFO.
    pub(super) fn pressed_in_info(&mut self, io: &mut Io, id: CallId, leg: LegId, key: char) {
        let Some(this) = self.table.get_mut(id).and_then(|call| call.leg_mut(leg)) else { return };
        if this.pressed != Pressed::InAudio {
            // Whoever has telephone-event may tell of the key there as well, in a moment.
            let alone = this.side.far.is_none_or(|far| far.event.is_none());
            let alone = alone || matches!(this.pressed, Pressed::InInfo { .. });
            this.pressed = Pressed::InInfo { key, at: io.cx.now.instant };
            if alone {
                self.pass_on(io, id, leg, (key, true));
            }
            self.pressed(io, id, leg, key);
        }
    }

    /// A key that the data plane does not carry by itself reaches the other party all the same: one
    /// from an INFO, and one for a party that takes keys in INFO alone. Those of a code do not.
    fn pass_on(&self, io: &mut Io, id: CallId, leg: LegId, (key, in_info): (char, bool)) {
        let Some(call) = self.table.get(id).filter(|call| call.is_talking(leg)) else { return };
        let Some(this) = call.leg(leg) else { return };
        let reads = call.has_reached(leg) || matches!(this.role, Role::Agent(_)) && call.needs(leg);
        let [one, other] = call.talk[..] else { return };
        if reads && (key == '*' || !this.keys.is_empty()) {
            return;
        }
        let Some(to) = call.leg(if one == leg { other } else { one }) else { return };
        match to.side.far.is_some_and(|far| far.event.is_some() || far.inband) {
            true if in_info => {
                io.media(Command::Press { port: to.side.port, keys: key.to_string() });
            }
            true => {}
            false => io.out.push(to.act(Act::Press { key })),
        }
    }

    /// A key among the audio of a leg.
    pub(super) fn pressed_in_audio(&mut self, io: &mut Io, id: CallId, leg: LegId, key: char) {
        let Some(this) = self.table.get_mut(id).and_then(|call| call.leg_mut(leg)) else { return };
        let now = io.cx.now.instant;
        let told = |pressed| match pressed {
            Pressed::InInfo { key: told, at } => told == key && now.since(at) < TWICE_WITHIN,
            Pressed::Never | Pressed::InAudio => false,
        };
        if !told(std::mem::replace(&mut this.pressed, Pressed::InAudio)) {
            self.pass_on(io, id, leg, (key, false));
            self.pressed(io, id, leg, key);
        }
    }

    /// A key was pressed: in a call to a code, by an agent who has a call in hand, or by a caller
    /// who waits. What anybody else presses is for whoever hears them.
    pub(super) fn pressed(&mut self, io: &mut Io, id: CallId, leg: LegId, key: char) {
        if self.key_for_code(io, id, key) || self.key_to_accept(io, id, leg, key) {
            return;
        }
        let Some(call) = self.table.get(id) else { return };
        match call.leg(leg).map(|leg| leg.role) {
            Some(Role::Caller) if call.has_reached(leg) => self.pressed_in_call(io, id, leg, key),
            Some(Role::Caller) if !call.is_served() => self.pressed_in_line(io, id, key),
            Some(Role::Agent(_)) if call.needs(leg) => self.pressed_in_call(io, id, leg, key),
            Some(Role::Supervisor(agent)) => self.pressed_by_watcher(io, id, agent, key),
            Some(Role::Caller | Role::Agent(_) | Role::Target) | None => {}
        }
    }

    fn pressed_in_line(&mut self, io: &mut Io, id: CallId, key: char) {
        let Some(call) = self.table.get(id) else { return };
        let (keys, goal) = (call.keys, call.goal.clone());
        match goal {
            Goal::Menu { queue } if keys.emergency != Some(key) => {
                self.chosen(io, id, queue, Some(key));
            }
            Goal::Menu { .. } | Goal::Queue(_) | Goal::Served { .. }
                if keys.emergency == Some(key) =>
            {
                self.emergency(io, id);
            }
            Goal::Queue(_) | Goal::Served { .. } if keys.callback == Some(key) => {
                io.out.push(Effect::WantsBack { call: id });
            }
            Goal::Menu { .. }
            | Goal::Queue(_)
            | Goal::Served { .. }
            | Goal::Later { .. }
            | Goal::Goodbye
            | Goal::Placed
            | Goal::Codes
            | Goal::Dial(_) => {}
        }
    }

    /// Asks what the line's menu asks, after the welcome.
    pub(super) fn ask(&mut self, io: &mut Io, id: CallId, line: &Line) {
        let Some(call) = self.table.get_mut(id) else { return };
        let phrases = line.menu.iter().map(|choice| {
            let thing = match &choice.means {
                Means::Language(name) => Thing::Language(name.clone()),
                Means::District(name) => Thing::District(name.clone()),
                Means::Queue(_, name) => Thing::Queue(name.clone()),
            };
            Phrase::Choice(thing, choice.key)
        });
        let phrases: Vec<Phrase> = phrases.collect();
        match line.menu_prompt {
            Some(prompt) => {
                let mut tunes = call.says.clone();
                tunes.push(prompt);
                self.tell(io, id, tunes);
            }
            None => self.announce(io, id, phrases),
        }
        let says_nothing = self.table.get(id).is_some_and(|call| call.says.is_empty());
        let saying = if says_nothing { Duration::ZERO } else { SAYING_MAX };
        let wait = saying + line.menu_wait;
        io.cx.timers.set(Timer::Menu(id), io.cx.now.instant + wait);
    }

    /// All has been said: whoever is asked something has a while to answer, whoever was told
    /// goodbye is hung up.
    pub(super) fn said(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get(id) else { return };
        match call.goal {
            Goal::Menu { .. } => {
                let line = io.settings.lines.iter().find(|line| line.name == call.line);
                let wait = line.map_or(Duration::ZERO, |line| line.menu_wait);
                io.cx.timers.set(Timer::Menu(id), io.cx.now.instant + wait);
            }
            Goal::Goodbye => self.menu_over(io, id),
            Goal::Queue(_)
            | Goal::Served { .. }
            | Goal::Later { .. }
            | Goal::Placed
            | Goal::Codes
            | Goal::Dial(_) => {}
        }
    }

    /// `Timer::Menu`.
    pub fn menu_over(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get(id) else { return };
        match call.goal {
            Goal::Menu { queue } => self.chosen(io, id, queue, None),
            Goal::Goodbye => self.goodbye(io, id),
            Goal::Queue(_)
            | Goal::Served { .. }
            | Goal::Later { .. }
            | Goal::Placed
            | Goal::Codes
            | Goal::Dial(_) => {}
        }
    }

    /// The caller pressed this key, or none in time.
    fn chosen(&mut self, io: &mut Io, id: CallId, mut queue: QueueId, key: Option<char>) {
        io.cx.timers.cancel(Timer::Menu(id));
        let Some(call) = self.table.get_mut(id) else { return };
        let line = io.settings.lines.iter().find(|line| line.name == call.line);
        let choices = line.map_or(&[][..], |line| &line.menu);
        let means = choices.iter().find(|choice| Some(choice.key) == key).map(|c| &c.means);
        let what = match means {
            Some(Means::Language(name)) => format!("language:{name}"),
            Some(Means::District(name)) => format!("district:{name}"),
            Some(Means::Queue(_, name)) => format!("queue:{name}"),
            None => String::new(),
        };
        let mut by_district = true;
        match means {
            Some(Means::Language(name)) => {
                call.languages.retain(|known| known != name);
                call.languages.insert(0, name.clone());
            }
            Some(Means::District(name)) => {
                let own = io.settings.district(name).map_or(&[][..], |d| &d.languages);
                let known = std::mem::replace(&mut call.languages, own.to_vec());
                let new = known.into_iter().filter(|language| !own.contains(language));
                call.languages.extend(new);
                self.choose_district(io, id, name);
            }
            Some(&Means::Queue(own, _)) => (queue, by_district) = (own, false),
            None => {}
        }
        io.fact(Fact::Chose { call: id, what });
        self.go_on(io, id, queue, line.filter(|_| by_district));
    }

    /// The caller waits from now on: in this queue, or for the centre of their district.
    fn go_on(&mut self, io: &mut Io, id: CallId, queue: QueueId, line: Option<&Line>) {
        let Some(call) = self.table.get(id) else { return };
        let district = call.district.clone();
        let wanted = line.map(|line| self.goal(io.book(), line, &district, call.trunk));
        let (goal, centre) = wanted.unwrap_or((Goal::Queue(queue), None));
        self.tell(io, id, Vec::new());
        let Some(call) = self.table.get_mut(id) else { return };
        call.later.clear();
        call.goal = goal;
        match (&call.goal, centre) {
            (Goal::Served { .. }, Some(trunk)) => self.ring_centre(io, id, trunk),
            (Goal::Served { .. }, None) => self.without_centre(io, id),
            (&Goal::Queue(queue), _) => {
                io.out.push(Effect::Join { call: id, queue, arrived: call.arrived });
            }
            (
                Goal::Menu { .. }
                | Goal::Later { .. }
                | Goal::Goodbye
                | Goal::Placed
                | Goal::Codes
                | Goal::Dial(_),
                _,
            ) => {}
        }
    }

    /// The caller was told goodbye.
    pub(super) fn goodbye(&mut self, io: &mut Io, id: CallId) {
        if let Some(call) = self.table.get(id) {
            let end = call.end(EndedBy::Switch, 200, Some(16));
            self.finish(io, id, end, None);
        }
    }

    /// It was one when they called before.
    pub fn is_urgent_still(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get_mut(id) else { return };
        if !std::mem::replace(&mut call.emergency, true) {
            io.fact(Fact::Emergency { call: id });
        }
    }

    fn emergency(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let known = std::mem::replace(&mut call.emergency, true);
        if known && !matches!(call.goal, Goal::Menu { .. } | Goal::Served { .. }) {
            return;
        }
        if !known {
            io.fact(Fact::Emergency { call: id });
        }
        if let Goal::Menu { queue } = call.goal {
            io.cx.timers.cancel(Timer::Menu(id));
            return self.go_on(io, id, queue, None);
        }
        if let Goal::Served { queue } = call.goal {
            // The centre of the district rings on; whoever answers first has the call.
            call.goal = Goal::Queue(queue);
            return io.out.push(Effect::Join { call: id, queue, arrived: call.arrived });
        }
        io.out.push(Effect::Emergency { call: id });
    }
}
