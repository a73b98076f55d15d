import Foundation

/// A small file system of a test's own, in a file behind a loop device or in memory. Only root may mount one.
///
/// It is unmounted by ``close()``, by the last reference, and by a process that waits for the end of this one, should a
/// test crash.
package final class MountedDisk {
  /// What it is formatted as.
  package enum Kind: String, Sendable, CaseIterable, CustomStringConvertible {
    case ext4, tmpfs, xfs, xfsWithoutReflink, btrfs
    /// btrfs where `chattr +C` asks for blocks to be overwritten.
    case btrfsNoCopyOnWrite

    /// The name for reports.
    package var description: String { rawValue }

    fileprivate var name: String {
      switch self {
      case .ext4, .tmpfs, .xfs, .btrfs: rawValue
      case .xfsWithoutReflink: "xfs"
      case .btrfsNoCopyOnWrite: "btrfs"
      }
    }

    /// About the smallest that can be made; XFS takes no less.
    fileprivate var size: Int {
      switch self {
      case .ext4: 24 << 20
      case .tmpfs: 8 << 20
      case .xfs, .xfsWithoutReflink: 300 << 20
      case .btrfs, .btrfsNoCopyOnWrite: 112 << 20
      }
    }

    /// Whether files can share blocks, which `cp --reflink` makes them do.
    package var shares: Bool {
      switch self {
      case .xfs, .btrfs: true
      // Nothing is shared with a file that was begun under `chattr +C` unless both were.
      case .btrfsNoCopyOnWrite: true
      case .ext4, .tmpfs, .xfsWithoutReflink: false
      }
    }
  }

  /// Where it is mounted.
  package let path: String
  private let image: String
  private var isMounted = false
  private var guardian: Process?
  private let lifeline = Pipe()

  /// Makes and mounts one, or says why that cannot be done here, and returns nil.
  ///
  /// - Parameter directory: holds the mount point and the file.
  package init?(_ kind: Kind, in directory: TemporaryDirectory) throws {
    path = try directory.subdirectory("disk")
    image = directory.file("image")
    guard getuid() == 0 else {
      Self.skip(kind, "only root may mount it")
      return nil
    }
    if kind == .tmpfs {
      guard try Self.run("mount", ["-t", "tmpfs", "-o", "size=\(kind.size)", "tmpfs", path]) == 0 else {
        Self.skip(kind, "mounting is not permitted")
        return nil
      }
    } else {
      guard FileManager.default.createFile(atPath: image, contents: nil), truncate(image, kind.size) == 0 else {
        throw Finding("cannot make \(image)")
      }
      let options = kind == .xfsWithoutReflink ? ["-m", "reflink=0"] : []
      guard try Self.run("mkfs.\(kind.name)", ["-q"] + options + [image]) == 0 else {
        Self.skip(kind, "mkfs.\(kind.name) is missing or fails")
        return nil
      }
      guard try Self.run("mount", ["-o", "loop", image, path]) == 0 else {
        Self.skip(kind, "the kernel has no loop devices or no \(kind.name)")
        return nil
      }
    }
    isMounted = true
    try startGuardian()
    if kind == .btrfsNoCopyOnWrite, try Self.run("chattr", ["+C", path]) != 0 {
      Self.skip(kind, "chattr does not work")
      return nil
    }
  }

  deinit {
    close()
  }

  private static func skip(_ kind: Kind, _ reason: String) {
    print("SKIPPED: \(kind) is not tested: \(reason)")
  }

  /// Ends with its input, which ends with this process at the latest.
  private func startGuardian() throws {
    let guardian = Process()
    guardian.executableURL = URL(filePath: "/bin/sh")
    guardian.arguments = [
      "-c", "trap '' INT TERM HUP; read -r line; umount -l \"$0\" 2>/dev/null; rm -f \"$1\"", path, image,
    ]
    guardian.standardInput = lifeline
    try guardian.run()
    try lifeline.fileHandleForReading.close()
    self.guardian = guardian
  }

  /// Unmounts it; what was in it is gone. Whatever of it is still open or mapped keeps it for so long.
  package func close() {
    if isMounted {
      isMounted = false
      if (try? Self.run("umount", [path])) != 0 { _ = try? Self.run("umount", ["-l", path]) }
    }
    guard let guardian else { return }
    try? lifeline.fileHandleForWriting.close()
    guardian.waitUntilExit()
    self.guardian = nil
  }

  // MARK: Filling it

  private var ballast: String { "\(path)/ballast" }

  /// Bytes that are not occupied.
  package var room: Int {
    get throws {
      var status = statvfs()
      guard statvfs(path, &status) == 0 else { throw Finding("cannot ask \(path) for its room") }
      return Int(status.f_bavail) * Int(status.f_frsize)
    }
  }

  /// Occupies all room but so many bytes.
  package func fill(leaving room: Int) throws {
    let free = try self.room
    let file = open(ballast, O_RDWR | O_CREAT, 0o644)
    guard file >= 0 else { throw Finding("cannot make \(ballast): error \(errno)") }
    defer { Foundation.close(file) }
    if room > 0 {
      // What the ballast itself needs to be described is not known beforehand.
      var size = free - room
      while size > 0, posix_fallocate(file, 0, size) != 0 { size -= 256 << 10 }
      fsync(file)
      return
    }
    // To the last block. What was promised may take less once it is written: then there is more to fill.
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    for size in [1 << 20, 4096, 1 << 20, 4096] {
      while write(file, zeros, size) > 0 {}
      fsync(file)
    }
  }

  /// Makes room again.
  package func makeRoom() throws {
    try FileManager.default.removeItem(atPath: ballast)
    // btrfs frees the blocks with its next transaction.
    try Self.run("sync", ["-f", path])
  }

  /// Runs a program; returns its exit status, or -1 when it cannot be run or a signal ends it.
  @discardableResult
  package static func run(_ name: String, _ arguments: [String]) throws -> Int32 {
    let places = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map { "\($0)/\(name)" }
    guard let program = places.first(where: FileManager.default.isExecutableFile) else { return -1 }
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationReason == .exit ? process.terminationStatus : -1
  }
}
