import Foundation
import Immuta

/// A user that is not this one, for tests of files that it owns.
package enum OtherUser {
  /// Its number; nil where this process cannot give files away.
  package static let number: UInt32? = {
    if geteuid() == 0 { return 65_534 }
    print("SKIPPED: files of other users are not tested, since only root can make them")
    return nil
  }()

  /// Whether an error says that a file of this name is another user's.
  package static func owns(_ name: String) -> (any Error) -> Bool {
    { error in
      if case ImmutaError.foreignOwner(let path, _) = error { path.hasSuffix("/\(name)") } else { false }
    }
  }
}
