"""From a study and a model to a mask on the study's own grid."""
