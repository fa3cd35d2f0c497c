/// Whose form a head has where toolkits build the same head differently.
public enum HeadForm: String, Sendable, CaseIterable {
  case torchvision, mmsegmentation
}
