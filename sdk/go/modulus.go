package limenauth

import (
	"errors"
	"math/big"
)

var errWeakModulus = errors.New("the RSA modulus has a small factor or comes from a broken generator (CVE-2017-15361)")

// smallPrimes is the largest of the odd primes a modulus is tried with. The product of
// the primes up to 701 is what the broken generator built keys of 2,048 to 3,936 bits
// on; for longer keys it divides the product that was used.
const smallPrimes = 701

// weakModulus reports whether n can be factored without breaking RSA.
//
// The primes of the generator of CVE-2017-15361 (ROCA, Nemec and others, CCS 2017) are
// k*M + 65537^a mod M, with M the product of the first primes. So their product is a
// power of 65537 modulo each of these primes, and a modulus of a sound generator is so
// for all of them with a probability below 2^-160.
func weakModulus(n *big.Int) bool {
	broken := true
	var divisor, rest big.Int
	for p := int64(3); p <= smallPrimes; p += 2 {
		if !divisor.SetInt64(p).ProbablyPrime(0) {
			continue
		}
		r := rest.Mod(n, &divisor).Int64()
		if r == 0 {
			return true
		}
		broken = broken && powerOf65537(r, p)
	}
	return broken
}

// powerOf65537 reports whether r is a power of 65537 modulo the prime p.
func powerOf65537(r, p int64) bool {
	for power := int64(1); ; {
		if power == r {
			return true
		}
		if power = power * 65537 % p; power == 1 {
			return false
		}
	}
}
