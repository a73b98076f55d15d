// refused: switch covers known cases, but 'StreamVisibility' may have additional unknown values
import Immuta

func name(_ visibility: StreamVisibility) -> String {
  switch visibility {
  case .committed: "committed"
  case .durable: "durable"
  }
}
