import ArgumentParser
import Immuta

/// Whether to wait for a log that somebody else has: an option of each subcommand that needs a log for itself.
struct WaitOption: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      How long to wait while another process has the log open for writing: 500ms, 5s, 2m. The exit status is 75 if it \
      still has it then.
      """, valueName: "duration"), transform: TimeSpan.parse)
  var wait: TimeSpan?

  /// Tries to open something, again and again while another process has it, for as long as the user wants to wait. Says once, on
  /// stderr, which process it waits for.
  @MainActor func waiting<Opened>(_ open: () throws -> Opened) throws -> Opened {
    let end = ContinuousClock.now + (wait?.duration ?? .zero)
    var pause = Duration.milliseconds(20)
    var hasSaidSo = false
    while true {
      do {
        return try open()
      } catch ImmutaError.locked(let holder) {
        let left = end - .now
        guard left > .zero else { throw ImmutaError.locked(holder) }
        if !hasSaidSo { Failure.say("waiting: \(holder)") }
        hasSaidSo = true
        try System.pause(min(pause, left))
        // Soon at first, then rarely: a writer that keeps its log for long is not asked all the time.
        pause = min(pause * 2, .seconds(1))
      }
    }
  }

  /// The same for work that Ctrl-C simply ends: only the wait is in good order.
  @MainActor func waitingAlone<Opened>(_ open: () throws -> Opened) throws -> Opened {
    guard wait != nil else { return try open() }
    try Interruption.install()
    defer { Interruption.uninstall() }
    return try waiting(open)
  }
}
