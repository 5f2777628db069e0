"""Design-space studies: many points, evaluated anywhere, each kept as soon as it is finished."""
