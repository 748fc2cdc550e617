//! Other processes: this program in a role, what it says, and what is done to it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::office::Orders;

/// A process in a role. It is killed when this is dropped, and ends by itself if this process does.
pub(crate) struct Process {
    child: Child,
    reader: Option<JoinHandle<()>>,
}

/// A line that a process wrote, with the number that it was started under.
pub(crate) type Said = (usize, String);

/// Where all that processes say comes together.
pub(crate) struct Ears {
    sender: Sender<Said>,
    receiver: Receiver<Said>,
}

impl Ears {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = channel();
        Self { sender, receiver }
    }

    /// The next line, if one comes in time.
    pub(crate) fn hear(&self, patience: Duration) -> Option<Said> {
        self.receiver.recv_timeout(patience).ok()
    }
}

impl Process {
    pub(crate) fn start(role: &str, orders: &Orders, number: usize, ears: &Ears) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(format!("role:{role}")).arg(serde_json::to_string(orders).unwrap());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (lines, sender) = (BufReader::new(child.stdout.take().unwrap()).lines(), ears.sender.clone());
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Whoever stopped listening does not mind.
                let _ = sender.send((number, line));
            }
        });
        Self { child, reader: Some(reader) }
    }

    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGKILL. What it said before has been heard when this returns.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }

    /// SIGSTOP: whatever it does, it stops.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
    }

    /// SIGCONT: it goes on as if nothing had been.
    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`: the program of that name is not on every machine.
        let line = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
