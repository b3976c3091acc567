package policy

import "slices"

// Matches reports whether the scope has a product and an environment; nil stands for any.
func (s Scope) Matches(product, environment *Ref) bool {
	c := newScope(s)
	if product != nil && !c.products.match(*product) {
		return false
	}
	return environment == nil || c.environments.match(*environment) && (len(c.types) == 0 || slices.Contains(c.types, environment.Type))
}
