import Immuta

/// Opens namespaces for reading: decoded where that is possible, and otherwise as they are stored.
struct LogOpening: Sendable {
  let directory: String
  let acceptsFilesOfOthers: Bool
  let decoding: Decoding

  /// Opens a namespace by the codec whose name is beside it; where there is none, by the one that the command line describes.
  ///
  /// - Throws: what opening throws; never for a codec, a key or a dictionary that is missing.
  func open(_ namespace: String) throws -> ShownLog {
    if decoding.isOff { return try openUndecoded(namespace) }
    do {
      return try open(namespace, as: decoding.describesLogs ? decoding.described() : nil)
    } catch let missing as Decoding.Missing {
      return try openStored(namespace, because: missing.reason)
    } catch ImmutaError.codecMismatch(let written, _, _) {
      return try open(namespace, writtenWith: written)
    } catch ImmutaError.codecUnknown {
      // It looks encrypted or compressed, and there may be a key.
      if !decoding.describesLogs, let described = try? decoding.described() {
        return try open(namespace, as: described)
      }
      return try openStored(
        namespace,
        because: "its records look compressed or encrypted, and nothing beside the log says how: start immuta-ui with "
          + "--codec and --key-file, or with --codec none if they were appended so")
    }
  }

  private func open(_ namespace: String, as codec: Codec?) throws -> ShownLog {
    shown(try log(namespace) { $0.codec = codec }, codec == nil ? .appended : .decoded)
  }

  /// - Parameter written: the codec's name that is beside the log; empty for none.
  private func open(_ namespace: String, writtenWith written: String) throws -> ShownLog {
    if written.isEmpty { return try open(namespace, as: nil) }
    do {
      return try open(namespace, as: decoding.codec(named: written))
    } catch let missing as Decoding.Missing {
      return try openStored(namespace, because: missing.reason)
    } catch ImmutaError.codecMismatch, ImmutaError.codecUnknown {
      return try openStored(namespace, because: "the keys and dictionaries that were given do not fit it")
    }
  }

  private func openUndecoded(_ namespace: String) throws -> ShownLog {
    let log = try log(namespace) { $0.deliversStoredPayloads = true }
    return shown(log, try log.details.codec.isEmpty ? .appended : .stored(because: "--codec none asks for it"))
  }

  private func openStored(_ namespace: String, because reason: String) throws -> ShownLog {
    shown(try log(namespace) { $0.deliversStoredPayloads = true }, .stored(because: reason))
  }

  private func shown(_ log: Log, _ showing: Showing) -> ShownLog {
    ShownLog(name: .namespace(log.namespace), log: log, showing: showing)
  }

  private func log(_ namespace: String, _ change: (inout Storage.Configuration) -> Void) throws -> Log {
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    configuration.acceptsFilesOfOthers = acceptsFilesOfOthers
    configuration.largestDecodedPayload = decoding.largestPayload
    change(&configuration)
    return try Storage(directory: directory, namespaces: [namespace], configuration: configuration).log(namespace)
  }
}
