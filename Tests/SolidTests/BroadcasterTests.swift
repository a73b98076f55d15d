import Solid
import Testing

@Suite("A broadcaster's count")
struct BroadcasterTests {
  @Test("starts at 0, or where it is told")
  func start() {
    #expect(Broadcaster().generation == 0)
    #expect(Broadcaster(generation: 41).generation == 41)
  }

  @Test("rises by what it is notified of")
  func notify() {
    let broadcaster = Broadcaster(generation: 2)
    #expect(broadcaster.notify() == 3)
    #expect(broadcaster.notify(10) == 13)
    #expect(broadcaster.notify(0) == 13)
    #expect(broadcaster.generation == 13)
  }

  @Test("is advanced, and never goes back")
  func advance() {
    let broadcaster = Broadcaster()
    broadcaster.advance(to: 7)
    broadcaster.advance(to: 7)
    broadcaster.advance(to: 3)
    #expect(broadcaster.generation == 7)
    #expect(broadcaster.notify() == 8)
  }

  @Test("stands still once it is closed, and closing twice is harmless")
  func close() {
    let broadcaster = Broadcaster()
    broadcaster.notify(3)
    #expect(!broadcaster.isClosed)
    broadcaster.close()
    #expect(broadcaster.isClosed)
    #expect(broadcaster.generation == 3)
    #expect(broadcaster.notify(5) == 3)
    broadcaster.advance(to: 100)
    broadcaster.close()
    #expect(broadcaster.generation == 3)
    #expect(broadcaster.isClosed)
  }

  @Test("closes at 0 as anywhere else")
  func closeAtZero() {
    let broadcaster = Broadcaster()
    broadcaster.close()
    #expect(broadcaster.isClosed)
    #expect(broadcaster.generation == 0)
    #expect(broadcaster.notify() == 0)
  }

  @Test("adds up what several notifiers add at once", .timeLimit(.minutes(1)))
  func concurrentNotifiers() async {
    let broadcaster = Broadcaster()
    await withTaskGroup { group in
      for _ in 0..<4 {
        group.addTask { for _ in 0..<10_000 { broadcaster.notify() } }
      }
    }
    #expect(broadcaster.generation == 40_000)
  }

  @Test("traps on what cannot be")
  func traps() async {
    await #expect(processExitsWith: .failure) { _ = Broadcaster(generation: -1) }
    await #expect(processExitsWith: .failure) { Broadcaster().notify(-1) }
    await #expect(processExitsWith: .failure) { _ = Broadcaster().subscribe(from: .since(-1)) }
  }

  @Test("says in its error what has happened")
  func message() {
    #expect(BroadcasterClosed().description.contains("closed"))
  }
}
