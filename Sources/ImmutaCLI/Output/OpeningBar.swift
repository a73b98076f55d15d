import Immuta
import Synchronization

/// A bar on standard error while a log is opened, where that takes long.
private final class OpeningBar: Sendable {
  private let bar = Mutex<(namespace: String, progress: Progress)?>(nil)

  func show(_ progress: Storage.OpeningProgress) {
    bar.withLock { bar in
      if bar?.namespace != progress.namespace {
        bar?.progress.finish()
        bar = (progress.namespace, Progress("opening \(progress.namespace)"))
      }
      if progress.done < progress.total {
        bar?.progress.update(progress.done, of: progress.total)
      } else {
        bar?.progress.finish()
        bar = nil
      }
    }
  }
}

extension Storage.Configuration {
  /// The same, with a bar while a log is opened.
  var showingProgress: Self {
    var configuration = self
    let bar = OpeningBar()
    configuration.openingProgress = { bar.show($0) }
    return configuration
  }
}
