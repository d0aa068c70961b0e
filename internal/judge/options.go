package judge

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// options are effective settings by key, or the options of each subject. A key that is
// missing is unknown, not absent.
type options struct {
	of     string // in words: whose they are
	values map[string]ref.Val
	nested bool // values are options
}

// ConvertToNative is part of ref.Val.
func (o *options) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("judge: settings are no %s", t)
}

// ConvertToType is part of ref.Val.
func (o *options) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return types.MapType
	}
	return types.NewErr("settings are no %s", t.TypeName())
}

// Equal is part of ref.Val.
func (o *options) Equal(other ref.Val) ref.Val { return types.Bool(other == ref.Val(o)) }

// Type is part of ref.Val.
func (o *options) Type() ref.Type { return types.MapType }

// Value is part of ref.Val.
func (o *options) Value() any { return o }

// Contains is part of traits.Mapper: whether the key is stated.
func (o *options) Contains(key ref.Val) ref.Val {
	s, ok := key.(types.String)
	if !ok {
		return types.False
	}
	_, ok = o.values[string(s)]
	return types.Bool(ok)
}

// Find is part of traits.Mapper.
func (o *options) Find(key ref.Val) (ref.Val, bool) {
	s, ok := key.(types.String)
	if !ok {
		return types.NewErr("settings have names, not %s", key.Type().TypeName()), false
	}
	if v, ok := o.values[string(s)]; ok {
		return v, true
	}
	if o.nested {
		return &options{of: string(s)}, true
	}
	return unstated("the setting " + string(s) + " of " + o.of), true
}

// Get is part of traits.Mapper.
func (o *options) Get(key ref.Val) ref.Val {
	v, _ := o.Find(key)
	return v
}

// Size is part of traits.Mapper.
func (o *options) Size() ref.Val { return types.Int(len(o.values)) }

// Iterator is part of traits.Mapper.
func (o *options) Iterator() traits.Iterator {
	keys := slices.Sorted(maps.Keys(o.values))
	return types.NewStringList(types.DefaultTypeAdapter, keys).Iterator()
}
