/// The directory that measurements work in: a temporary one beside the user's logs, so that it is their disk that is
/// measured.
struct BenchPlace {
  /// What the largest files of a run take, with what is reserved ahead: no work has more than 256 MiB at a time.
  static let space = 512 << 20

  let directory: String
  private let parent: String
  private let isParentOurs: Bool

  /// Makes the directory; its parent too, if that is missing.
  init(in parent: String) throws(ToolError) {
    self.parent = parent
    isParentOurs = try System.makeDirectory(parent)
    do {
      try Self.check(free: System.freeSpace(in: parent), in: parent)
      directory = try System.makeTemporaryDirectory(in: parent, prefix: "immuta-bench-")
    } catch {
      if isParentOurs { System.removeEmptyDirectory(parent) }
      throw error
    }
  }

  /// Takes away what ``init(in:)`` made.
  func remove() {
    System.removeDirectory(directory)
    // Only if nobody has put a log there meanwhile.
    if isParentOurs { System.removeEmptyDirectory(parent) }
  }

  static func check(free: Int, in directory: String) throws(ToolError) {
    guard free >= space else {
      throw ToolError(
        """
        the measurements need \(Quantities.grouped(space >> 20)) MiB in \(directory), which has \
        \(Quantities.grouped(free >> 20)): make room, or name a directory on another disk with --dir
        """)
    }
  }
}
