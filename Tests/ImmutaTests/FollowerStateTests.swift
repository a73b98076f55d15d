import Testing

@testable import Immuta

/// Who looks at a followed log, and what becomes of its files, is decided by a state machine without lock, clock or file.
@Suite struct FollowerStateTests {
  private final class Ticket {}
  private typealias State = FollowerState<Ticket>

  private enum Kind {
    case nothing, prompt, thread
  }

  /// What a stream that begins to wait has to do.
  private func beginWait(_ state: inout State, forStable: Bool = false, _ ticket: Ticket? = nil) -> Kind {
    switch state.beginWait(forStable: forStable) {
    case .nothing: return .nothing
    case .thread: return .thread
    case .prompt(let found):
      #expect(found === ticket)
      return .prompt
    }
  }

  @Test func theFirstWhoWaitsAsksForAThreadAndTheOthersFindIt() {
    var state = State()
    let ticket = Ticket()
    #expect(beginWait(&state) == .thread)
    state.attend(ticket)
    #expect(beginWait(&state) == .nothing)
    #expect(state.attention() == .streams(areForStable: false))
    // What is stable is looked at only once somebody asks.
    #expect(beginWait(&state, forStable: true, ticket) == .prompt)
    #expect(beginWait(&state, forStable: true) == .nothing)
    #expect(state.attention() == .streams(areForStable: true))
  }

  /// No stream waits while no thread looks: it is either prompted, or another one is asked for.
  @Test func aThreadThatIsAboutToLeaveIsHeldByWhoeverWaits() {
    var state = State()
    let ticket = Ticket()
    #expect(beginWait(&state) == .thread)
    state.attend(ticket)
    state.endWait(forStable: false)
    #expect(state.attention() == .nobody)
    #expect(beginWait(&state, ticket) == .prompt)
    #expect(state.letGo(ticket) == false)
    state.endWait(forStable: false)
    #expect(state.letGo(Ticket()) == false)
    #expect(state.care.ticket === ticket)
    #expect(state.letGo(ticket) == true)
    #expect(state.care.ticket == nil)
    #expect(beginWait(&state) == .thread)
  }

  @Test func nothingIsLookedAtWhileOtherFilesAreOpened() {
    var state = State()
    #expect(beginWait(&state) == .thread)
    state.attend(Ticket())
    #expect(state.beginChange() == true)
    #expect(state.beginChange() == false)
    #expect(state.attention() == .busy)
    state.endChange()
    #expect(state.attention() == .streams(areForStable: false))
  }

  @Test func aLogThatWasClosedStaysClosed() {
    var state = State()
    let ticket = Ticket()
    #expect(beginWait(&state) == .thread)
    state.attend(ticket)
    #expect(state.beginChange() == true)
    #expect(state.close() === ticket)
    state.endChange()
    #expect(state.attention() == .closed)
    #expect(state.isClosed)
    #expect(state.beginChange() == false)
    #expect(beginWait(&state, forStable: true) == .nothing)
    #expect(state.close() == nil)
  }

  @Test func filesAreLookedForNowAndThenAndAlwaysWhileTheyAreLost() {
    var state = State()
    let now = ContinuousClock.now
    let pause = Duration.milliseconds(1)
    func isDue(_ time: ContinuousClock.Instant, looksAgain: Bool = false) -> Bool {
      state.isDue(at: time, after: pause, looksAgain: looksAgain)
    }
    #expect(isDue(now))
    #expect(!isDue(now))
    #expect(isDue(now, looksAgain: true))
    #expect(isDue(now + pause))
    #expect(state.lose(at: now) == now)
    #expect(state.isLost)
    #expect(state.lose(at: now + .seconds(5)) == now)
    #expect(isDue(now) && isDue(now))
    state.find()
    #expect(!state.isLost)
    #expect(isDue(now + .seconds(5)))
    #expect(!isDue(now + .seconds(5)))
  }
}
