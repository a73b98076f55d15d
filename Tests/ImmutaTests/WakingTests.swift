import ImmutaTestSupport
import Testing

@testable import Immuta

/// When a writer tells of its commits, and when a follower looks by itself: each is a state machine without a clock, so both
/// are run against each other here, in a time that costs nothing.
struct WakingTests {
  /// A writer and a follower, whose steps come in the order of their times. Times are nanoseconds.
  private struct Simulation {
    private enum WriterStep { case readTick, store, wake }
    private enum FollowerStep { case readWord, look, beginWait, wait }

    private var generator: SeededGenerator
    private let tick: Int64

    private var wake = CommitWake()
    private var lastTick: Int64 = -1
    private var writerStep = WriterStep.readTick
    private var writerTime: Int64 = 0
    private var left: Int
    /// When each record was committed.
    private var commits: [Int64] = []

    private var pace = FollowPace()
    private var followerStep = FollowerStep.readWord
    private var followerTime: Int64 = 0
    private var word = 0
    private var delivered = 0
    private var herald = FollowPace.Herald.nobody
    private var waitsSince: Int64 = 0
    private var isWaiting: Bool { followerStep == .wait }

    private(set) var longest: Int64 = 0
    private(set) var sleeps = 0
    private(set) var unreported = 0

    init(seed: UInt64, commits: Int) {
      generator = SeededGenerator(seed: seed)
      tick = [1_000_000, 4_000_000, 10_000_000][Int.random(in: 0..<3, using: &generator)]
      left = commits
    }

    /// Until each record was delivered.
    mutating func run() {
      while left > 0 || delivered < commits.count {
        if left > 0, writerTime <= followerTime { stepOfWriter() } else { stepOfFollower() }
      }
    }

    private mutating func upTo(_ most: Int64) -> Int64 { Int64.random(in: 1...most, using: &generator) }

    private mutating func stepOfWriter() {
      switch writerStep {
      case .readTick:
        if writerTime / tick != lastTick { wake.beginTick() }
        lastTick = writerTime / tick
        writerStep = .store
        writerTime += upTo(generator.oneIn(50) ? 300_000 : 2_000)
      case .store:
        commits.append(writerTime)
        if wake.isDue() {
          writerStep = .wake
          writerTime += upTo(2_000)
        } else {
          unreported += 1
          endCommit()
        }
      case .wake:
        wake.called(waking: isWaiting ? 1 : 0)
        if isWaiting {
          herald = .writer
          followerStep = .readWord
          followerTime = writerTime + upTo(generator.oneIn(20) ? 3_000_000 : 50_000)
        }
        endCommit()
      }
    }

    /// What comes next may come at once, in the same tick, later, or long after the follower has gone to sleep.
    private mutating func endCommit() {
      left -= 1
      writerStep = .readTick
      let pause =
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<80: upTo(3_000)
        case 80..<92: upTo(3_000_000)
        case 92..<98: upTo(60_000_000)
        default: upTo(4_000_000_000)
        }
      writerTime += pause
    }

    private mutating func stepOfFollower() {
      switch followerStep {
      case .readWord:
        word = commits.count
        (followerStep, followerTime) = (.look, followerTime + upTo(5_000))
      case .look:
        let waited = followerTime - waitsSince
        if commits.count > delivered {
          for time in commits[delivered...] { longest = max(longest, followerTime - time) }
          delivered = commits.count
          pace.foundNews(waited: waited, from: herald)
        } else {
          pace.foundNothing(waited: waited, canBeWoken: true)
        }
        (waitsSince, herald) = (followerTime, .nobody)
        (followerStep, followerTime) = (.beginWait, followerTime + upTo(5_000))
      case .beginWait:
        if word != commits.count {
          herald = .writer
          (followerStep, followerTime) = (.readWord, followerTime + upTo(5_000))
          return
        }
        followerStep = .wait
        switch pace.next(canBeWoken: true) {
        case .pause(let pause): followerTime = max(followerTime, waitsSince + pause)
        case .sleep:
          sleeps += 1
          followerTime = waitsSince + 60_000_000_000
        }
      case .wait:
        (followerStep, followerTime) = (.readWord, followerTime + upTo(50_000))
      }
    }
  }

  @Test func whatTheWriterKeepsToItselfIsFoundSoonByAFollowerThatHasNotGoneToSleep() async throws {
    try await Rounds.run(default: 200, "a writer and a follower") { seed in
      var simulation = Simulation(seed: seed, commits: 3_000)
      simulation.run()
      // Looks come up to 26 ms apart while something may have been kept back; a sleep takes half a minute at least.
      guard simulation.longest < 60_000_000 else {
        throw Finding("a record was delivered \(simulation.longest / 1_000_000) ms after it was committed")
      }
      guard simulation.sleeps > 1, simulation.unreported > 0 else {
        throw Finding("\(simulation.sleeps) sleeps and \(simulation.unreported) commits kept back prove nothing")
      }
    }
  }

  @Test func aWriterOfSingleRecordsAlwaysTells() {
    var wake = CommitWake()
    for _ in 0..<10_000 {
      wake.beginTick()
      let isDue = wake.isDue()
      #expect(isDue)
      wake.called(waking: 0)
    }
  }

  @Test func aWriterWithoutFollowersHardlyEverTells() {
    var wake = CommitWake()
    var calls = 0
    for _ in 0..<1_000_000 where wake.isDue() {
      calls += 1
      wake.called(waking: 0)
    }
    #expect(calls <= CommitWake.mostUnanswered + 1_000_000 / CommitWake.pause)
  }

  @Test func aFollowerOfAnIdleLogSleepsAfterAFewLooks() {
    var pace = FollowPace()
    pace.foundNews(waited: 0, from: .writer)
    var looks = 0
    while case .pause(let pause) = pace.next(canBeWoken: true), looks < 100 {
      pace.foundNothing(waited: pause, canBeWoken: true)
      looks += 1
    }
    #expect(looks < 10)
    #expect(pace.next(canBeWoken: true) == .sleep)
  }

  /// One may come just when a wait is over; two in a row that nobody told of are of a writer that tells nobody.
  @Test func aFollowerOfAWriterThatTellsNobodyLooksByItself() {
    var pace = FollowPace()
    func letPass(_ time: Int64) {
      var left = time
      while left > 0, case .pause(let pause) = pace.next(canBeWoken: true) {
        pace.foundNothing(waited: pause, canBeWoken: true)
        left -= pause
      }
    }
    letPass(100_000_000)
    pace.foundNews(waited: 30_000_000, from: .nobody)
    letPass(1_000_000_000)
    #expect(pace.next(canBeWoken: true) == .sleep)
    for _ in 0..<2 { pace.foundNews(waited: 30_000_000, from: .nobody) }
    letPass(1_000_000_000)
    #expect(pace.next(canBeWoken: true) == .pause(FollowPace.longestGlance))
    // What writes by calls is told of by the kernel, once it has been quiet.
    letPass(10_000_000_000)
    #expect(pace.next(canBeWoken: true) == .sleep)
    // After a sleep that nobody ended in time, it does not sleep again, until a writer tells.
    pace.foundNews(waited: 60_000_000_000, from: .nobody)
    letPass(20_000_000_000)
    #expect(pace.next(canBeWoken: true) == .pause(FollowPace.longestIdleGlance))
    pace.foundNews(waited: 1_000_000, from: .writer)
    letPass(1_000_000_000)
    #expect(pace.next(canBeWoken: true) == .sleep)
  }
}
