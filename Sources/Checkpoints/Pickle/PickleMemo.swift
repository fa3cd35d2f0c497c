/// What a pickle keeps under numbers: most count up from 0.
struct PickleMemo {
  private var dense: [PickleValue] = []
  private var others: [Int: PickleValue] = [:]

  var count: Int { dense.count + others.count }

  subscript(index: Int) -> PickleValue? {
    get { index < dense.count ? dense[index] : others[index] }
    set {
      guard let newValue else { return }
      if index < dense.count {
        dense[index] = newValue
      } else if index == dense.count {
        dense.append(newValue)
      } else {
        others[index] = newValue
      }
    }
  }
}
