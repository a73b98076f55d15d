import ArgumentParser

/// Which namespaces a subcommand looks at, and for whom it prints what it finds.
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
