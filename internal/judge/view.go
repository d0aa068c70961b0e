package judge

import (
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// view shows facts to CEL: each kind is a type with the fields of its JSON, and a field
// that is unstated is a CEL unknown that knows its own name.
type view struct {
	*types.Registry
	kinds map[string]*kindType
	of    map[fact.Kind]*kindType
}

// kindType is one kind of fact as CEL sees it.
type kindType struct {
	name   string
	typ    *types.Type
	fields []*field
	byName map[string]*field
}

// field is one field of a kind.
type field struct {
	name    string
	typ     *types.Type
	get     func(v *value) ref.Val // an unknown where it is unstated
	unknown *types.Unknown
	cel     *types.FieldType
}

// aliases are the fields whose JSON name CEL keeps for itself.
var aliases = map[string]string{"in": "where", "for": "opens"}

// samples has one fact of each kind, for their fields.
func samples() []fact.Fact {
	return []fact.Fact{
		&fact.Device{}, &fact.Component{}, &fact.Account{}, &fact.Secret{}, &fact.Key{}, &fact.Certificate{}, &fact.Service{},
		&fact.Endpoint{}, &fact.Destination{}, &fact.Setting{}, &fact.Guard{}, &fact.Executable{}, &fact.Script{}, &fact.Update{},
		&fact.Boot{}, &fact.Kernel{}, &fact.Mount{}, &fact.Interface{}, &fact.Data{}, &fact.File{}, &fact.Claim{},
	}
}

func newView() (*view, error) {
	r, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	w := &view{Registry: r, kinds: map[string]*kindType{}, of: map[fact.Kind]*kindType{}}
	use, err := w.structType("use", reflect.TypeFor[fact.Use](), nil)
	if err != nil {
		return nil, err
	}
	for _, s := range samples() {
		w.kinds[string(s.Kind())] = &kindType{name: string(s.Kind()), typ: types.NewObjectType(string(s.Kind()))}
	}
	for _, s := range samples() {
		k, err := w.structType(string(s.Kind()), reflect.TypeOf(s).Elem(), use)
		if err != nil {
			return nil, err
		}
		w.addBase(k)
		w.addLinks(k, s.Kind())
		w.of[s.Kind()] = k
	}
	return w, nil
}

// structType makes the fields of a struct; use is the type of a script's uses.
func (w *view) structType(name string, t reflect.Type, use *kindType) (*kindType, error) {
	k := w.kinds[name]
	if k == nil {
		k = &kindType{name: name, typ: types.NewObjectType(name)}
		w.kinds[name] = k
	}
	k.byName = map[string]*field{}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			continue
		}
		json, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if a, ok := aliases[json]; ok {
			json = a
		}
		typ, err := celType(f.Type, use)
		if err != nil {
			return nil, fmt.Errorf("judge: field %s.%s: %w", name, f.Name, err)
		}
		k.add(json, typ, func(v *value, unknown *types.Unknown) ref.Val {
			return w.show(v.data.Field(i).Addr().Interface(), use, unknown)
		})
	}
	return k, nil
}

func celType(t reflect.Type, use *kindType) (*types.Type, error) {
	if o, ok := reflect.New(t).Interface().(interface{ Elem() reflect.Type }); ok {
		t = o.Elem()
	}
	switch t {
	case reflect.TypeFor[string]():
		return types.StringType, nil
	case reflect.TypeFor[bool]():
		return types.BoolType, nil
	case reflect.TypeFor[int](), reflect.TypeFor[int64]():
		return types.IntType, nil
	case reflect.TypeFor[[]string]():
		return types.NewListType(types.StringType), nil
	case reflect.TypeFor[[]fact.Use]():
		return types.NewListType(use.typ), nil
	}
	return nil, fmt.Errorf("type %s cannot be shown to rules", t)
}

// show turns a pointer to a field into a CEL value: the unknown where it is unstated.
func (w *view) show(p any, use *kindType, unknown *types.Unknown) ref.Val {
	switch p := p.(type) {
	case *string:
		if *p == "" {
			return unknown
		}
		return types.String(*p)
	case *fact.Opt[bool]:
		if v, ok := p.Value(); ok {
			return types.Bool(v)
		}
	case *fact.Opt[int]:
		if v, ok := p.Value(); ok {
			return types.Int(v)
		}
	case *fact.Opt[string]:
		if v, ok := p.Value(); ok {
			return types.String(v)
		}
	case *int:
		return types.Int(*p)
	case *int64:
		return types.Int(*p)
	case *[]string:
		if *p != nil {
			return types.NewStringList(w, *p)
		}
	case *[]fact.Use:
		if *p == nil {
			return unknown
		}
		list := make([]ref.Val, len(*p))
		for i := range *p {
			list[i] = &value{kind: use, data: reflect.ValueOf(&(*p)[i]).Elem()}
		}
		return types.NewRefValList(w, list)
	}
	return unknown
}

// add gives the kind a field.
func (k *kindType) add(name string, typ *types.Type, get func(*value, *types.Unknown) ref.Val) {
	f := &field{name: name, typ: typ, unknown: unstated(k.name + "." + name)}
	f.get = func(v *value) ref.Val {
		if v.unseen != nil {
			return v.unseen
		}
		return get(v, f.unknown)
	}
	f.cel = &types.FieldType{
		Type: typ,
		IsSet: func(target any) bool {
			v, ok := target.(*value)
			return ok && !types.IsUnknown(f.get(v))
		},
		GetFrom: func(target any) (any, error) {
			switch v := target.(type) {
			case *value:
				return f.get(v), nil
			case *types.Unknown:
				return v, nil
			}
			return nil, fmt.Errorf("%s.%s: asked of %T", k.name, name, target)
		},
	}
	k.fields = append(k.fields, f)
	k.byName[name] = f
}

// unstated is the unknown of a field or a list. Unknowns of the same name are the same:
// their number is made of the name, so that CEL merges them.
func unstated(name string) *types.Unknown {
	h := uint64(14695981039346656037)
	for _, c := range []byte(name) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return types.NewUnknown(int64(h>>2), types.NewAttributeTrail(name))
}

// addBase gives a kind what every fact has.
func (w *view) addBase(k *kindType) {
	k.add("root", types.StringType, func(v *value, _ *types.Unknown) ref.Val { return types.String(v.fact.Header().Root) })
	k.add("witness", types.StringType, func(v *value, _ *types.Unknown) ref.Val {
		return types.String(v.fact.Header().Source.Witness)
	})
	k.add("confidence", types.StringType, func(v *value, _ *types.Unknown) ref.Val {
		return types.String(confidence(v.fact.Header().Confidence))
	})
	k.add("paths", types.NewListType(types.StringType), func(v *value, unknown *types.Unknown) ref.Val {
		places := v.fact.Header().Places
		if len(places) == 0 {
			return unknown
		}
		paths := make([]string, len(places))
		for i, p := range places {
			paths[i] = p.Path
		}
		return types.NewStringList(w, paths)
	})
}

// FindStructType is part of types.Provider.
func (w *view) FindStructType(name string) (*types.Type, bool) {
	if k, ok := w.kinds[name]; ok {
		return types.NewTypeTypeWithParam(k.typ), true
	}
	return w.Registry.FindStructType(name)
}

// FindStructFieldNames is part of types.Provider.
func (w *view) FindStructFieldNames(name string) ([]string, bool) {
	k, ok := w.kinds[name]
	if !ok {
		return w.Registry.FindStructFieldNames(name)
	}
	names := make([]string, len(k.fields))
	for i, f := range k.fields {
		names[i] = f.name
	}
	return names, true
}

// FindStructFieldType is part of types.Provider.
func (w *view) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	k, ok := w.kinds[name]
	if !ok {
		return w.Registry.FindStructFieldType(name, fieldName)
	}
	f, ok := k.byName[fieldName]
	if !ok {
		return nil, false
	}
	return f.cel, true
}

// NativeToValue is part of types.Adapter.
func (w *view) NativeToValue(v any) ref.Val {
	if r, ok := v.(ref.Val); ok {
		return r
	}
	return w.Registry.NativeToValue(v)
}

// value is one fact, or one use in a script, as CEL sees it. unseen makes it a fact that
// may be there but was not seen: all of it is unknown.
type value struct {
	kind   *kindType
	fact   fact.Fact
	data   reflect.Value
	unseen *types.Unknown

	// Ties to other facts, nil where there is none.
	component, service, account, executable, script *value
	settings                                        *options
	guards                                          ref.Val
	sbom, sbomVersion                               string         // of a component: what the other side says
	seen                                            fact.Opt[bool] // of a declared port: whether something listens there
}

// ConvertToNative is part of ref.Val.
func (v *value) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("judge: a %s is no %s", v.kind.name, t)
}

// ConvertToType is part of ref.Val.
func (v *value) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return v.kind.typ
	}
	return types.NewErr("a %s is no %s", v.kind.name, t.TypeName())
}

// Equal is part of ref.Val.
func (v *value) Equal(other ref.Val) ref.Val {
	o, ok := other.(*value)
	return types.Bool(ok && o == v)
}

// Type is part of ref.Val.
func (v *value) Type() ref.Type { return v.kind.typ }

// Value is part of ref.Val.
func (v *value) Value() any { return v }
