"""Room `fit`: learn proxies. SDV fits a Gaussian copula on hygienic rows; what it learned leaves as data."""

from tamis.fit.proxies import fit_proxies

__all__ = ["fit_proxies"]
