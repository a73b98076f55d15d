import ArgumentParser
import Immuta

/// Whether files are used that another user put there: an option of each subcommand that opens logs.
struct ForeignOwnerOption: ParsableArguments {
  @Flag(help: "Use also files that another user put there, who may change them: by default they are refused.")
  var allowForeignOwner = false
}
