import ArgumentParser

/// Which namespaces a subcommand looks at, and whether it prints its results for people or for programs.
struct NamespaceSelection: ParsableArguments {
  @Argument(
    help: ArgumentHelp("The namespaces; all, if none is named.", valueName: "namespace"),
    completion: Completions.namespaces)
  var namespaces: [String] = []

  @Flag(help: "Print an object a line.")
  var json = false

  func validate() throws {
    try namespaces.forEach(checkNamespace)
  }
}
