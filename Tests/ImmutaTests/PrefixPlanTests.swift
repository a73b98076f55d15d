import Testing

@testable import Immuta

/// What a copy of a log gets is decided by the segments that the two have.
@Suite struct PrefixPlanTests {
  private let identity = LogIdentity.random()

  private func source(_ firsts: [Int], _ count: Int) -> PrefixPlan.Source {
    PrefixPlan.Source(identity: identity, format: .v2, firsts: firsts, count: count)
  }

  private func copy(_ firsts: [Int], _ count: Int) -> PrefixPlan.Copy {
    PrefixPlan.Copy(identity: identity, format: .v2, firsts: firsts, count: count)
  }

  private func parts(_ plan: PrefixPlan) -> [[Int]] { plan.parts.map { [$0.first, $0.end] } }

  private func refusal(
    _ source: PrefixPlan.Source, _ copy: PrefixPlan.Copy?, follows: Bool = false
  ) -> PrefixPlan.Refusal? {
    do throws(PrefixPlan.Refusal) {
      _ = try PrefixPlan(source, copy, follows: follows)
      return nil
    } catch {
      return error
    }
  }

  @Test func aNewCopyGetsEverySegmentThatHasRecords() throws {
    #expect(try parts(PrefixPlan(source([0, 10, 20], 25), nil, follows: false)) == [[0, 10], [10, 20], [20, 25]])
    #expect(try parts(PrefixPlan(source([0, 10, 20], 20), nil, follows: false)) == [[0, 10], [10, 20]])
    #expect(try parts(PrefixPlan(source([0, 10, 20], 15), nil, follows: false)) == [[0, 10], [10, 15]])
    #expect(try parts(PrefixPlan(source([0], 0), nil, follows: false)) == [[0, 0]])
    let trimmed = try PrefixPlan(source([10, 20], 25), nil, follows: false)
    #expect(parts(trimmed) == [[10, 20], [20, 25]] && trimmed.first == 10)
    // All was removed but the newest, which has no record.
    #expect(try parts(PrefixPlan(source([20], 20), nil, follows: false)) == [[20, 20]])
    #expect(refusal(source([10], 15), nil) == nil)
    #expect(refusal(source([10], 5), nil) == .removed(first: 10))
  }

  @Test func whatTheCopyHasIsLeftAloneButForItsNewestSegment() throws {
    let log = source([0, 10, 20], 25)
    #expect(try parts(PrefixPlan(log, copy([0, 10], 13), follows: false)) == [[10, 20], [20, 25]])
    #expect(try parts(PrefixPlan(log, copy([0, 10], 20), follows: false)) == [[10, 20], [20, 25]])
    #expect(try parts(PrefixPlan(log, copy([0, 10, 20], 25), follows: false)) == [[20, 25]])
    #expect(try parts(PrefixPlan(log, copy([0, 10, 20], 20), follows: false)) == [[20, 25]])
    #expect(try parts(PrefixPlan(source([0], 7), copy([0], 0), follows: false)) == [[0, 7]])
  }

  @Test func whatTheLogRemovedStaysUnlessItIsToFollow() throws {
    let log = source([10, 20], 25)
    let kept = try PrefixPlan(log, copy([0, 10], 13), follows: false)
    #expect(kept.first == 0 && kept.dropped.isEmpty && parts(kept) == [[10, 20], [20, 25]])
    let followed = try PrefixPlan(log, copy([0, 10], 13), follows: true)
    #expect(followed.first == 10 && followed.dropped == [0])
    // It ends where the log begins now.
    let joined = try PrefixPlan(log, copy([0], 10), follows: false)
    #expect(joined.first == 0 && parts(joined) == [[10, 20], [20, 25]])
  }

  @Test func recordsThatNeitherHasAreNoLogsMiddle() throws {
    let log = source([10, 20], 25)
    #expect(refusal(log, copy([0], 7)) == .gap(7..<10))
    for plan in [
      try PrefixPlan(log, copy([0], 7), follows: true),
      try PrefixPlan(log, copy([0], 7), follows: false, mayBeginAnew: true),
    ] {
      #expect(plan.first == 10 && plan.dropped == [0] && parts(plan) == [[10, 20], [20, 25]])
    }
  }

  @Test func whatIsAnotherLogIsRefused() {
    var other = copy([0], 5)
    other.identity = .random()
    #expect(refusal(source([0], 9), other) == .otherLog)
    // Nothing says whose it is: its records decide.
    other.identity = nil
    #expect(refusal(source([0], 9), other) == nil)
    other.format = .v1
    #expect(refusal(source([0], 9), other) == .otherFormat(.v1))
    #expect(refusal(source([0], 9), copy([0], 10)) == .longer(copy: 10))
    #expect(refusal(source([0, 10], 15), copy([0], 12)) == .otherSegments(first: 10))
    #expect(refusal(source([0], 15), copy([0, 10], 12)) == .otherSegments(first: 10))
    #expect(refusal(source([0], 15), copy([0, 10], 10)) == .otherSegments(first: 10))
    #expect(refusal(source([0, 10, 20], 25), copy([0, 20], 22), follows: true) == .otherSegments(first: 10))
  }
}
