import CImmutaFileCalls

/// What the file system under a file can do, as far as it is known: see “What each file system gives” in <doc:Promises>.
///
/// Stores through a mapping are allowed only on file systems that are known to write a file's blocks in place, and to share them
/// with nobody. Elsewhere a store may need a new block, and a store that finds none raises SIGBUS, which kills the process;
/// `pwrite` reports the same as an error. That happens on file systems that copy on write, after `chattr +C` too; on XFS once a
/// file was copied by reference; and on those that lie over others, which may be any.
package enum FileSystem: Hashable, Sendable, CaseIterable {
  case ext4, tmpfs, xfs, xfsSharing, btrfs, other

  init(of descriptor: Int32) {
    self =
      switch file_system_of(descriptor) {
      case FILE_SYSTEM_EXT4: .ext4
      case FILE_SYSTEM_TMPFS: .tmpfs
      case FILE_SYSTEM_XFS: .xfs
      case FILE_SYSTEM_XFS_SHARING: .xfsSharing
      case FILE_SYSTEM_BTRFS: .btrfs
      default: .other
      }
  }

  /// Whether a store through a mapping into reserved space never fails for lack of room.
  var keepsReservations: Bool {
    switch self {
    case .ext4, .tmpfs, .xfs: true
    case .xfsSharing, .btrfs, .other: false
    }
  }

  /// Whether to reserve space. On btrfs it promises nothing: bytes that are written a second time need new blocks, and the
  /// reserved ones stay occupied beside them; and a file with reserved space is not compressed any more.
  var reserves: Bool { self != .btrfs }

  /// Whether a mapping shows bytes written with `pwrite` at once: then readers close to the end may look into one.
  var showsWrites: Bool { self != .other }

  /// Whether the kernel reports every change that a call makes: not where another host may change files, nor where a file
  /// may lie in one layer now and in another later (overlay).
  var reportsChanges: Bool { self != .other }

  /// Whether a mapping keeps the very open file that it was made from, and so its lock, when the descriptor is closed.
  /// File systems that lie over others map the file below.
  var keepsLocksOfMappings: Bool { self != .other }

  /// Whether overwriting bytes of a file that are on the device already changes their blocks and nothing else.
  var overwritesInPlace: Bool { self == .ext4 }
}
