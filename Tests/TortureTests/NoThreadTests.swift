import Immuta
import ImmutaTestSupport
import Testing

/// A process that gets no thread from the system goes on as far as it can, and nobody waits for one that does not come. In
/// a process of its own: the others' threads are not to be had either.
@Suite struct NoThreadTests {
  private func outcome(_ what: String) throws -> [String] {
    let directory = TemporaryDirectory()
    let child = try OtherProcess.start("threadless", what, directory.path)
    let lines = child.readLines(within: .seconds(90))
    child.kill()
    child.wait()
    return lines
  }

  @Test func aFlushThatCannotBeHadIsAnErrorAndNoFailure() throws {
    #expect(
      try outcome("flush") == ["append: pthread_create", "2 records", "sync: done", "append: done", "3 stable"])
  }

  @Test func anIntervalThatCannotBeKeptEndsAppending() throws {
    #expect(
      try outcome("interval") == ["sync: done", "append: pthread_create", "append: pthread_create", "all records"])
  }

  @Test func theFirstAppendMayBeTriedAgain() throws {
    #expect(try outcome("first") == ["append: pthread_create", "append: done", "1 records"])
  }

  @Test func manyLogsAreOpenedAndClosedByTheCallersThread() throws {
    #expect(try outcome("open") == ["round 1", "round 2", "[2] records each"])
  }

  @Test func whoWaitsIsToldOrOpensOtherFilesItself() throws {
    #expect(try outcome("follow") == ["wait: pthread_create", "3"])
  }
}
