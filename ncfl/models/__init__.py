"""The networks: small modules, composed by `ncfl.models.ncfl`, named by `ncfl.models.variants`."""
