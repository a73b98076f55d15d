import ArgumentParser

/// How a repair is done: options of each subcommand that repairs.
struct RepairOptions: ParsableArguments {
  @Flag(help: "Do what is needed, rather than say so.")
  var apply = false

  @OptionGroup var lock: WaitOption

  @Flag(help: "Print an object a line.")
  var json = false
}
