import Imaging

extension Dataset {
  func readImage(_ path: String) throws -> Image { fatalError("no decoder yet: \(path)") }
  func readLabel(_ path: String) throws -> LabelImage { fatalError("no decoder yet: \(path)") }
}
