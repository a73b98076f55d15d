import Testing

@testable import Immuta

/// Who waits for a flush of a log, and who is at it: the decisions, without threads and files.
@Suite struct FlushStateTests {
  private static func waiter() -> Waiter { .thread(BlockedThread()) }

  /// A state with a thread that looks.
  private static func looking() -> FlushState {
    var state = FlushState()
    _ = state.needsThread()
    state.threadComes()
    state.beginLook()
    return state
  }

  @Test func oneThreadComesHoweverManyAsk() {
    var state = FlushState()
    var asked = [state.needsThread()]
    state.threadComes()
    asked.append(state.needsThread())
    state.beginLook()
    // The one that looks has another look.
    asked.append(state.needsThread())
    asked.append(state.endLook())
    state.beginLook()
    asked.append(state.endLook())
    asked.append(state.needsThread())
    #expect(asked == [true, false, false, true, false, true])
  }

  @Test func aLookForLaterGivesWayToOneForNow() throws {
    var state = Self.looking()
    let number = state.numberForLater()
    state.looksLater(try #require(number))
    let needsThread = state.needsThread()
    state.threadComes()
    let isDue = state.isDue(try #require(number))
    #expect(needsThread && !isDue)
  }

  @Test func aLookForLaterIsHadOnce() throws {
    var state = Self.looking()
    let number = state.numberForLater()
    state.looksLater(try #require(number))
    let looks = [state.isDue(try #require(number)), state.isDue(try #require(number))]
    #expect(looks == [true, false])
  }

  @Test func whoWaitsForAnAnswerIsNotLeftWaitingForTheInterval() {
    var state = Self.looking()
    state.wait(Self.waiter(), for: 1)
    let number = state.numberForLater()
    #expect(number == nil)
  }

  @Test func oneAtATimeFlushes() {
    var state = FlushState()
    var begun = [state.beginFlush(here: false), state.beginFlush(here: false), state.beginFlush(here: true)]
    state.endFlush()
    state.wait(Self.waiter(), for: 1)
    // Those who wait come first.
    begun += [state.beginFlush(here: true), state.beginFlush(here: false)]
    #expect(begun == [true, false, false, false, true])
  }

  @Test func whoWaitsForFewerRecordsIsServedSooner() {
    var state = FlushState()
    for count in [3, 1, 2] { state.wait(Self.waiter(), for: count) }
    let served = state.take(waitingFor: 2).map(\.count) + state.take(waitingFor: 2).map(\.count)
    #expect(served == [1, 2])
    #expect(state.waiters.map(\.count) == [3])
  }

  @Test func afterAFailureNobodyWaits() {
    var state = FlushState()
    state.wait(Self.waiter(), for: 1)
    let told = state.fail(.storageClosed).count
    #expect(told == 1)
    #expect(throws: ImmutaError.self) { try state.answer(1, stable: 0)?.get() }
    #expect(throws: Never.self) { try state.answer(1, stable: 1)?.get() }
    let begins = state.beginFlush(here: true)
    #expect(!begins)
  }

  @Test func nothingBeginsAfterStopping() {
    var state = FlushState()
    let first = (state.beginFlush(here: false), state.stop())
    #expect(first == (true, true))
    let later = (state.needsThread(), state.beginFlush(here: false))
    #expect(later == (false, false))
    // The end answers.
    let isAnswered = state.answer(1, stable: 0) != nil
    #expect(!isAnswered)
    state.wait(Self.waiter(), for: 1)
    state.endFlush()
    let told = state.end().map(\.count)
    #expect(told == [1])
    #expect(throws: ImmutaError.self) { try state.answer(1, stable: 0)?.get() }
  }
}
