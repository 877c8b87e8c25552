"""What several cases need of other libraries; imported where it is used, if it is there."""
