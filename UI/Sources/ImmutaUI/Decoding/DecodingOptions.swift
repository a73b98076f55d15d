import ArgumentParser
import HTTPTypes
import Immuta
import ImmutaTransforms

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

extension Decoding.Compression: ExpressibleByArgument {}
extension Decoding.Cipher: ExpressibleByArgument {}

/// What payloads are decoded with: options of the command, called as the tool's are.
struct DecodingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      The compression of logs that do not say how they were written; the others are decoded by what they say. none: show \
      every log as it is stored.
      """, valueName: "name"))
  var codec: Decoding.Compression?

  @Option(
    help: ArgumentHelp(
      "For zstd: a dictionary of `immuta codec train`. Repeat it for others.", valueName: "file"), completion: .file())
  var dictionary: [String] = []

  @Option(
    help: ArgumentHelp(
      "A key of encrypted logs: a file of 32 bytes, or 64 hexadecimal digits. Repeat it for others.", valueName: "file"),
    completion: .file())
  var keyFile: [String] = []

  @Option(help: "What logs are encrypted with that do not say how they were written.")
  var cipher: Decoding.Cipher?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Bytes that a record may come to when it is decoded, at most. (default: 64 MiB)", valueName: "n")
  )
  var decodedLimit: Int?

  func validate() throws {
    if codec == Decoding.Compression.none, !keyFile.isEmpty || !dictionary.isEmpty {
      throw ValidationError("--codec none decodes nothing: give no --key-file and no --dictionary")
    }
    if cipher != nil, keyFile.isEmpty { throw ValidationError("--cipher needs a --key-file") }
    if let decodedLimit, decodedLimit < 0 {
      throw ValidationError("--decoded-limit is \(decodedLimit); it must be at least 0")
    }
  }

  /// Reads the files that the options name.
  func decoding() throws -> Decoding {
    var decoding = Decoding()
    (decoding.compression, decoding.cipher) = (codec, cipher)
    if let decodedLimit { decoding.largestPayload = decodedLimit }
    let keys = try keyFile.map(KeyFile.read)
    if Set(keys.map(\.id)).count < keys.count {
      throw Failure(.internalServerError, "two of the key files hold the same key: give each key once")
    }
    decoding.keys = keys.first.map { KeyRing($0, older: Array(keys.dropFirst())) }
    #if Zstd
      decoding.dictionaries = try dictionary.map { file in
        guard let bytes = FileManager.default.contents(atPath: file) else {
          throw Failure(.internalServerError, "cannot read \(file): give a dictionary of `immuta codec train`")
        }
        do throws(TransformError) { return try ZstdDictionary(Array(bytes)) } catch {
          throw Failure(.internalServerError, "cannot use \(file): \(error)")
        }
      }
    #else
      if !dictionary.isEmpty { throw Failure(.internalServerError, Decoding.isNotBuilt("Zstd").reason) }
    #endif
    // What is not built in is said at once, and not only at a log.
    do throws(Decoding.Missing) { _ = try decoding.described() } catch {
      throw Failure(.internalServerError, error.reason)
    }
    return decoding
  }
}
