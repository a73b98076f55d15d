import Solid
import Testing

@Suite("Waiting until a deadline", .timeLimit(.minutes(1)))
struct DeadlineTests {
  private let clock = ContinuousClock()

  @Test("gives nil when the deadline passes first, and not before it")
  func passes() async throws {
    let broadcaster = Broadcaster()
    let deadline = clock.now + .milliseconds(30)
    #expect(try await broadcaster.wait(past: 0, until: deadline) == nil)
    #expect(clock.now >= deadline)
    #expect(broadcaster.waiterCount == 0)

    let start = clock.now
    #expect(try await broadcaster.wait(past: 0, timeout: .milliseconds(30)) == nil)
    #expect(clock.now >= start + .milliseconds(30))
  }

  @Test("gives the generation when the event comes first")
  func event() async throws {
    let broadcaster = Broadcaster()
    let waiting = Task { try await broadcaster.wait(past: 0, timeout: .seconds(3_600)) }
    try await broadcaster.settles(at: 1)
    broadcaster.notify()
    #expect(try await waiting.value == 1)
  }

  @Test("asks without waiting when the deadline is in the past")
  func poll() async throws {
    let broadcaster = Broadcaster()
    #expect(try await broadcaster.wait(past: 0, timeout: .zero) == nil)
    #expect(try await broadcaster.wait(past: 0, timeout: .seconds(-5)) == nil)
    #expect(try await broadcaster.wait(past: 0, until: clock.now - .seconds(5)) == nil)
    #expect(!broadcaster.hasTimer)
    broadcaster.notify()
    #expect(try await broadcaster.wait(past: 0, timeout: .zero) == 1)
  }

  @Test("loses nothing when it runs out of time")
  func nothingLost() async throws {
    let broadcaster = Broadcaster()
    #expect(try await broadcaster.wait(past: 0, timeout: .milliseconds(1)) == nil)
    broadcaster.notify()
    #expect(try await broadcaster.wait(past: 0, timeout: .milliseconds(1)) == 1)
  }

  @Test(
    "serves deadlines in whatever order they were set",
    arguments: [[300, 10, 200, 5, 100], [5, 10, 100, 200, 300], [300, 200, 100, 10, 5]])
  func order(delays: [Int]) async throws {
    let broadcaster = Broadcaster()
    let start = clock.now
    let waiting = delays.map { delay in
      Task { () throws -> Duration in
        let deadline = start + .milliseconds(delay)
        let result = try await broadcaster.wait(past: 0, until: deadline)
        #expect(result == nil)
        return clock.now - deadline
      }
    }
    for task in waiting {
      let late = try await task.value
      #expect(late >= .zero)
      // A deadline that waited for a later one's timer would be later than this on an idle machine; a busy one may
      // need the slack.
      #expect(late < .seconds(5))
    }
    #expect(broadcaster.waiterCount == 0)
  }

  @Test("ends an early wait although a far one set the timer first")
  func earlyAfterFar() async throws {
    let broadcaster = Broadcaster()
    let far = Task { try await broadcaster.wait(past: 0, timeout: .seconds(3_600)) }
    try await broadcaster.settles(at: 1)
    #expect(try await broadcaster.wait(past: 0, timeout: .milliseconds(5)) == nil)
    #expect(broadcaster.waiterCount == 1)
    #expect(broadcaster.hasTimer)
    far.cancel()
    await #expect(throws: CancellationError.self) { try await far.value }
    #expect(try await broadcaster.wait(past: 0, timeout: .milliseconds(5)) == nil)
  }

  @Test("leaves no timer behind")
  func timerEnds() async throws {
    let broadcaster = Broadcaster()
    let waiting = Task { try await broadcaster.wait(past: 0, timeout: .seconds(3_600)) }
    try await until { broadcaster.hasTimer }
    broadcaster.notify()
    #expect(try await waiting.value == 1)
    try await until { !broadcaster.hasTimer }
    #expect(try await broadcaster.wait(past: 1, timeout: .milliseconds(1)) == nil)
    try await until { !broadcaster.hasTimer }
  }

  @Test("serves ten thousand deadlines on one broadcaster")
  func many() async throws {
    let broadcaster = Broadcaster()
    var random = SeededGenerator(seed: 3)
    let delays = (0..<10_000).map { _ in Int.random(in: 1...200, using: &random) }
    try await withThrowingTaskGroup(of: Int?.self) { group in
      for delay in delays {
        group.addTask { try await broadcaster.wait(past: 0, timeout: .milliseconds(delay)) }
      }
      for try await result in group { #expect(result == nil) }
    }
    #expect(broadcaster.waiterCount == 0)
  }

  @Test("mixes with waits that have none")
  func mixed() async throws {
    let broadcaster = Broadcaster()
    let patient = Task { try await broadcaster.wait(past: 0) }
    try await broadcaster.settles(at: 1)
    #expect(try await broadcaster.wait(past: 0, timeout: .milliseconds(5)) == nil)
    #expect(broadcaster.waiterCount == 1)
    broadcaster.notify()
    #expect(try await patient.value == 1)
  }
}
