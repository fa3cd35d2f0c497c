/// Whose form a part has where toolkits build the same head or backbone differently.
public enum HeadForm: String, Sendable, CaseIterable {
  case torchvision, mmsegmentation
}
